/** What a gateway shows at /metrics: what docs/metrics.md says, and numbers that move when what they count happens. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent } from 'undici';
import { findFreePort } from '../../../cli/ports.js';
import { Log } from '../../../events/embedded/log.js';
import { documentedMetrics } from '../../support/metrics-doc.js';
import { startRedis, urlOf } from '../../support/redis.js';
import { until } from '../../support/until.js';
import { workersFor } from '../../support/workers.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const PREFIX = 'quanren_gateway_';

const ends: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const end of ends.reverse()) await end();
});

async function startWorld(environment: Record<string, string>) {
  const data = new DataFolder();
  ends.push(() => data.remove());
  await data.setCrowd('vip', 'active');
  data.startBeats();
  const gateway = await GatewayProcess.start(data, environment);
  ends.push(() => gateway.stop());
  await gateway.ready();
  /** Of a metric without labels. */
  const count = (name: string) => gateway.metric(PREFIX + name);
  /** Does something until the metric has grown. */
  const grows = async (name: string, act: () => Promise<unknown>) => {
    const before = await count(name);
    await until(`${name} grows`, async () => {
      await act();
      return (await count(name)) > before;
    });
  };
  return { data, gateway, count, grows };
}

function batchOf(uids: readonly string[]) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uids }),
  };
}

async function ask(gateway: GatewayProcess, target: string, init = {}): Promise<string> {
  return (await gateway.get(target, init)).text();
}

interface Shown {
  type: string;
  help: string;
  readonly labels: Set<string>;
  samples: number;
}

/** The text format of Prometheus (`# HELP`, `# TYPE`, samples); a histogram's samples go by its own name, and `le` is left out. */
function parseMetrics(text: string): Map<string, Shown> {
  const shown = new Map<string, Shown>();
  const of = (name: string): Shown => {
    const known = shown.get(name) ?? { type: '', help: '', labels: new Set<string>(), samples: 0 };
    shown.set(name, known);
    return known;
  };
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const [, kind, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === 'HELP') of(name).help = rest;
    else if (kind === 'TYPE') of(name).type = rest;
    else {
      const [, sample = '', labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
      const own = sample.replace(/_(bucket|sum|count)$/, '');
      const metric = of(shown.get(own)?.type === 'histogram' ? own : sample);
      metric.samples += 1;
      for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) if (label !== 'le') metric.labels.add(label);
    }
  }
  return shown;
}

test('every metric of docs/metrics.md is shown with its type, labels and meaning, and no other', async () => {
  const { data, gateway } = await startWorld({
    QUANREN_HBASE_NODES: `127.0.0.1:${await findFreePort()}`,
    QUANREN_REDIS_URL: `redis://127.0.0.1:${await findFreePort()}`,
  });
  const log = new Log(path.join(data.folder, 'bus'));
  await log.transact(() =>
    log.append('crowd-rules', 0, [{ key: 'x', value: Buffer.from('{}') }], Date.now()),
  );
  await log.close();
  const [victim] = gateway.workers();
  assert.ok(victim);
  process.kill(victim, 'SIGKILL');
  const read = async () => (await fetch(`http://127.0.0.1:${gateway.metricsPort}/metrics`)).text();
  const text = await until('all that has samples only when something has happened', async () => {
    const now = await read();
    const has = (name: string) => new RegExp(`^${PREFIX}${name}\\b.* `, 'm').test(now);
    return has('worker_restarts_total\\{') && has('stream_dead_letters_total\\{') && has('stream_lag_seconds')
      ? now
      : undefined;
  });
  const shown = parseMetrics(text);
  assert.deepEqual(
    [...shown]
      .map(([name, { type, labels, help }]) => ({ name, type, labels: [...labels].sort(), help }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    documentedMetrics()
      .map((metric) => ({ ...metric, labels: metric.labels.toSorted() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
  for (const [name, { samples }] of shown) assert.ok(samples > 0, `${name} has no sample`);
});

test('hits of users in no crowd, evictions, refreshes and shed reads are counted', async () => {
  const { gateway, grows } = await startWorld({
    QUANREN_GATEWAY_WORKERS: '1',
    QUANREN_GATEWAY_CACHE_ENTRIES: '16',
    QUANREN_GATEWAY_CACHE_TTL_MS: '1000',
  });
  let next = 0;
  const newUids = (count: number) => Array.from({ length: count }, () => `u${next++}`);
  await grows('cache_negative_hits_total', () => ask(gateway, '/match?uid=hot'));
  await grows('cache_refreshes_total', () => ask(gateway, '/match?uid=hot'));
  await grows('cache_evictions_total', () => ask(gateway, '/match/batch', batchOf(newUids(100))));
  await grows('shed_reads_total', () =>
    Promise.all(Array.from({ length: 60 }, () => ask(gateway, '/match/batch', batchOf(newUids(1_000))))),
  );
});

test('a worker’s CPU time is its place’s: it does not fall when another takes over', async () => {
  const { gateway, count } = await startWorld({ QUANREN_GATEWAY_WORKERS: String(workersFor(2)) });
  const cpu = `${PREFIX}worker_cpu_seconds_total{worker="0"}`;
  const used = await until('it is known', async () => (await gateway.metric(cpu)) || undefined);
  const workers = gateway.workers();
  assert.ok(workers[0]);
  process.kill(workers[0], 'SIGKILL');
  let least = used;
  await until('it is replaced', async () => {
    const now = await gateway.metric(cpu);
    assert.ok(now >= least, `${now} after ${least}`);
    least = now;
    return (await count('worker_restarts_total{reason="signal"}')) === 1 && now > used;
  });
  assert.ok(least < 60, `${least} s of CPU are not those of a test`);
  const lag = await gateway.metric(`${PREFIX}event_loop_lag_seconds{worker="0"}`);
  assert.ok(lag >= 0 && lag < 30, String(lag));
});

test('with a Redis: one user in demand makes one read a worker at most; joined and overtaken reads are counted', async () => {
  const redis = await startRedis();
  ends.push(() => redis.remove());
  const workers = workersFor(2);
  const { data, gateway, count } = await startWorld({
    QUANREN_REDIS_URL: urlOf(redis),
    QUANREN_REDIS_TIMEOUT_MS: '1000',
    QUANREN_GATEWAY_WORKERS: String(workers),
  });
  await until('Redis is used', async () => (await count('shared_cache_state{state="open"}')) === 1);
  // The embedded store is read past Redis where it can be read at once; this form is not.
  const target = '/match?&uid=hot';
  const isIn = async () => (JSON.parse(await ask(gateway, target)) as { userCrowds: string[] }).userCrowds;
  assert.deepEqual(await isIn(), []);
  // What they had of him has ended, in every worker and in Redis.
  await data.change('hot', 'vip', 'enter');
  await sleep(1_000);
  const before = await count('store_batch_size_sum');
  const many = new Agent({ connections: 64 });
  const answers = await Promise.all(
    Array.from({ length: 10_000 }, () =>
      ask(gateway, target, { dispatcher: many, signal: AbortSignal.timeout(60_000) }),
    ),
  );
  await many.destroy();
  assert.deepEqual(new Set(answers), new Set(['{"uid":"hot","userCrowds":["vip"],"status":"fresh"}']));
  await sleep(1_100);
  const reads = (await count('store_batch_size_sum')) - before;
  assert.ok(reads >= 1 && reads <= workers, `${reads} reads by ${workers} workers`);

  // Redis stands still: who is asked for waits for it, is asked for again, and changes.
  const [joined, overtaken] = [
    await count('coalesced_reads_total'),
    await count('cache_generation_drops_total'),
  ];
  const away = async () => (await gateway.metric(`${PREFIX}shared_cache_away{worker="0"}`)) === 1;
  assert.equal(await away(), false);
  await redis.engine.process('redis').pause();
  const waiting = Array.from({ length: 16 }, () => ask(gateway, '/match?&uid=slow'));
  await sleep(100);
  await data.change('slow', 'vip', 'enter');
  await Promise.all(waiting);
  await until('they are counted, and Redis is known to be away', async () => {
    const counts = [await count('coalesced_reads_total'), await count('cache_generation_drops_total')];
    return (counts[0] ?? 0) > joined && (counts[1] ?? 0) > overtaken && (await away());
  });
  await redis.engine.process('redis').resume();
  await until('Redis is back', async () => !(await away()));
});
