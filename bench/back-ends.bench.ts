/**
 * The gateway over real back ends: HBase in one JVM, Kafka, Redis.
 *
 * 1. Misses. wrk asks for random users of `--users` in HBase; the gateway remembers 16 and has no Redis, so that nearly
 *    every request is a row of HBase. HBase has core 1 for itself; gateway and wrk share core 0. Whose core is full is
 *    who limits: the CPU of each is shown. Then the same open-loop at half of that rate, for the latency.
 * 2. Changes. A user who is asked for all the time changes: the store acknowledges, the event is published, and the
 *    time until the answer has changed is taken, with Redis between.
 *
 *   npm run bench -- back-ends
 *   node dist/bench/back-ends.bench.js [--users 200000] [--seconds 10] [--rounds 3] [--changes 500]
 *
 * Needs Linux, taskset (util-linux), wrk (Debian: apt install wrk), Java and Maven.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startHeartbeat } from '../events/heartbeat.js';
import { openEventBus } from '../events/open-event-bus.js';
import { openStores } from '../stores/open-stores.js';
import { GatewayProcess } from '../test/integration/gateway/gateway-process.js';
import { startTestEngine } from '../test/support/engines.js';
import { RawHttpClient } from '../test/support/raw-http-client.js';
import type { LoadOrder, LoadResult } from './overload/open-loop.js';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    changes: { type: 'string', default: '500' },
  },
});
const [users, seconds, rounds] = [Number(values.users), Number(values.seconds), Number(values.rounds)];
const changes = Number(values.changes);
const [GATEWAY_CORE, HBASE_CORE] = ['0', '1'];
const CONNECTIONS = 256;
const CROWDS = ['big_spenders', 'lapsed_premium', 'online_now', 'frequent'];
const [CROWD = ''] = CROWDS;
const FILL_CHUNK = 50_000;
const SEEN_WITHIN_MS = 10_000;
/** USER_HZ, which /proc counts in. */
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** As gateway/match.lua has it. */
const uidOf = (i: number): string => `u${String(i).padStart(7, '0')}`;
const say = (line: string): void => console.log(line);
const quantile = (numbers: readonly number[], part: number): number =>
  numbers.toSorted((a, b) => a - b)[Math.ceil(part * numbers.length) - 1] ?? Number.NaN;

function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}

function pin(pids: readonly number[], core: string): void {
  for (const pid of pids) execFileSync('taskset', ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' });
}

function pidsOf({ child }: GatewayProcess): number[] {
  const workers = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' });
  return [child.pid ?? 0, ...workers.trim().split(/\s+/).map(Number)];
}

async function onGatewayCore(program: string, args: readonly string[]): Promise<string> {
  const child = spawn('taskset', ['-c', GATEWAY_CORE, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, USERS: String(users), UIDS: 'short', SEED: String(Date.now() % 1e6) },
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${program} ended with ${String(code)}: ${output}`);
  return output;
}

const [hbase, kafka, redis] = await Promise.all([
  startTestEngine('hbase', { jvm: {} }),
  startTestEngine('kafka'),
  startTestEngine('redis'),
]);
const folder = mkdtempSync(path.join(tmpdir(), 'quanren-back-ends-'));
const bootstrap = hbase.engine.addresses.bootstrap ?? '';
const nodes = bootstrap.split(',').map((address) => {
  const [host = '', port] = address.split(':');
  return { host, port: Number(port) };
});
const broker = kafka.engine.addresses.kafka ?? '';
const stores = openStores({ kind: 'hbase', nodes, user: 'bench', tls: undefined });
const bus = await openEventBus({ kafka: { brokers: [broker], tls: null, sasl: null, prefix: '' }, folder });
const stopBeats = startHeartbeat(bus, { onError: () => undefined });
const environment = {
  QUANREN_GATEWAY_WORKERS: '1',
  QUANREN_HBASE_NODES: bootstrap,
  QUANREN_KAFKA_BROKERS: broker,
};

async function fill(): Promise<void> {
  await stores.prepare();
  const value = (crowdCode: string) => ({
    crowdCode,
    status: 'active',
    ruleVersion: 1,
    rule: '{"tag_code":"age","op":">","value":1}',
  });
  await bus.publish(
    'crowd-rules',
    CROWDS.map((code) => ({ key: code, value: value(code) })),
  );
  const changeTimeMs = Date.now() - 1_000;
  let chunk = [];
  for (let i = 0; i < users; i++) {
    for (let k = 0; k <= i % CROWDS.length; k++)
      chunk.push({ uid: uidOf(i), crowdCode: CROWDS[k] ?? '', kind: 'enter' as const, changeTimeMs });
    if (chunk.length < FILL_CHUNK && i < users - 1) continue;
    await stores.memberships.apply(chunk, Date.now());
    chunk = [];
  }
}

async function misses(): Promise<void> {
  const gateway = await GatewayProcess.start(
    { folder },
    { ...environment, QUANREN_GATEWAY_CACHE_ENTRIES: '16' },
  );
  try {
    await gateway.ready();
    const pids = pidsOf(gateway);
    const hbasePid = [hbase.engine.process('hbase').pid ?? 0];
    pin(pids, GATEWAY_CORE);
    pin(hbasePid, HBASE_CORE);
    const port = Number(new URL(gateway.url).port);
    const script = path.resolve(import.meta.dirname, '..', '..', 'bench', 'gateway', 'match.lua');
    const wrk = (forSeconds: number) =>
      onGatewayCore('wrk', [
        '-t1',
        `-c${CONNECTIONS}`,
        `-d${forSeconds}s`,
        '-s',
        script,
        `${gateway.url}/match`,
      ]);
    // The JIT of a region server takes its time.
    await wrk(2 * seconds);
    say('| misses | requests/s | refused | gateway: cores, CPU µs/request | HBase: cores, CPU µs/request |');
    say('|---|---|---|---|---|');
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [gatewayBefore, hbaseBefore, atMs] = [cpuSeconds(pids), cpuSeconds(hbasePid), performance.now()];
      const output = await wrk(seconds);
      const tookSeconds = (performance.now() - atMs) / 1_000;
      const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
      const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0);
      const show = (cpu: number) =>
        `${(cpu / tookSeconds).toFixed(2)}, ${((cpu * 1e6) / requests).toFixed(1)}`;
      rates.push((requests - refused) / tookSeconds);
      say(
        `| wrk, round ${round + 1} | ${Math.round(requests / tookSeconds)} | ${refused} | ` +
          `${show(cpuSeconds(pids) - gatewayBefore)} | ${show(cpuSeconds(hbasePid) - hbaseBefore)} |`,
      );
    }
    const half = quantile(rates, 0.5) / 2;
    const targets = Array.from({ length: 50_000 }, (_, i) => `/match?uid=${uidOf((i * 7_919) % users)}`);
    const order: LoadOrder = {
      ...{ port, perSecond: half, seconds, connections: CONNECTIONS, seed: 1 },
      targets: targets.slice(0, 2_000),
    };
    const program = path.join(import.meta.dirname, 'overload', 'open-loop.js');
    const output = await onGatewayCore(process.execPath, [program, JSON.stringify(order)]);
    const { accepted, refused, failed, lateness } = JSON.parse(output) as LoadResult;
    say(
      `\nat half that rate, ${Math.round(half)}/s: p50 ${accepted.p50.toFixed(2)} ms, p99 ${accepted.p99.toFixed(2)} ms; ` +
        `${refused.count} refused, ${failed} failed; the generator was late by ${lateness.p99.toFixed(2)} ms (p99)`,
    );
  } finally {
    await gateway.stop();
  }
}

async function changing(): Promise<void> {
  const gateway = await GatewayProcess.start(
    { folder },
    { ...environment, QUANREN_REDIS_URL: `redis://${redis.engine.addresses.redis}` },
  );
  try {
    await gateway.ready();
    const client = await RawHttpClient.connect(Number(new URL(gateway.url).port));
    const uid = uidOf(0);
    const isMember = async () =>
      (await client.get(`/match?uid=${uid}&crowdCode=${CROWD}`)).body.includes('"isMatch":true');
    let member = await isMember();
    const times: number[] = [];
    for (let i = 0; i < changes; i++) {
      const change = {
        uid,
        crowdCode: CROWD,
        kind: member ? ('leave' as const) : ('enter' as const),
        changeTimeMs: Date.now(),
      };
      await stores.memberships.apply([change], Date.now());
      const acknowledgedMs = performance.now();
      const published = bus.publish('membership-changes', [
        { key: uid, value: { type: 'membership-changed', ...change } },
      ]);
      while ((await isMember()) === member) {
        if (performance.now() - acknowledgedMs > SEEN_WITHIN_MS) throw new Error('A change is never seen.');
      }
      times.push(performance.now() - acknowledgedMs);
      member = !member;
      await published;
      await sleep(5);
    }
    client.destroy();
    say(
      `\n${changes} changes, from the store's acknowledgement to the changed answer: ` +
        [0.5, 0.9, 0.99, 1].map((part) => `p${100 * part} ${quantile(times, part).toFixed(1)} ms`).join(', '),
    );
  } finally {
    await gateway.stop();
  }
}

try {
  console.error(`filling HBase with ${users} users …`);
  await fill();
  const [cpu] = cpus();
  say(
    `${cpus().length} × ${cpu?.model}, Node ${process.versions.node}; load average before ${(loadavg()[0] ?? 0).toFixed(1)}\n`,
  );
  await misses();
  await changing();
} finally {
  await stopBeats();
  await bus.close();
  await stores.close();
  await Promise.all([hbase, kafka, redis].map((engine) => engine.remove()));
  rmSync(folder, { recursive: true, force: true });
}
