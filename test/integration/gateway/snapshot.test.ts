/** A gateway that starts while the store, the shared cache and the bus are all away. */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { pino } from 'pino';
import { findFreePort } from '../../../cli/ports.js';
import { ErrorLog } from '../../../errors/error-log.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import type { EventBus } from '../../../events/event-bus.js';
import { locateRedis } from '../../../gateway/cache/redis/redis-location.js';
import { type Gateway, startGateway } from '../../../gateway/start-gateway.js';
import type { WorkerOptions } from '../../../gateway/supervision/protocol.js';
import { until } from '../../support/until.js';
import { DataFolder } from './gateway-process.js';

const data = new DataFolder();
const gateways: Gateway[] = [];
after(async () => {
  for (const gateway of gateways) await gateway.stop();
  await data.remove();
});

/** As a broker that nobody reaches. */
const unreachable = () => Promise.reject(new QuanrenError('unavailable', 'The bus cannot be reached.'));
const deadBus: EventBus = {
  publish: unreachable,
  claim: unreachable,
  broadcast: unreachable,
  subscribe: unreachable,
  close: () => Promise.resolve(),
};

const log = pino({ level: 'silent' });

async function start(
  bus: EventBus,
  stores: WorkerOptions['stores'],
  redis?: WorkerOptions['redis'],
  everyMs = 3_600_000,
) {
  const folder = path.join(data.folder, 'gateway');
  mkdirSync(folder, { recursive: true });
  const gateway = await startGateway({
    bus,
    stores,
    redis,
    snapshots: { folder, everyMs },
    deadLetters: new Map(),
    log,
    errors: new ErrorLog({ log, stopwatch: () => performance.now() }),
    host: '127.0.0.1',
    port: await findFreePort(),
    metricsPort: await findFreePort(),
    workers: 1,
    workerHeapMib: 256,
    transport: 'auto',
    tls: undefined,
    auth: { jwks: '', issuer: '', audience: '', clockSkewSeconds: 0, keysMaxAgeSeconds: 60, apiKeysFile: '' },
    staleAfterMs: 1_000,
    cacheEntries: 10_000,
    cacheTtlMs: 300_000,
    storeDeadlineMs: 500,
    usersPerSecond: 0,
    drainWithinMs: 5_000,
    isUnsafeExposureAllowed: false,
    version: 'test',
    onWarning: () => {},
    onNews: () => {},
    onGiveUp: () => {},
  });
  gateways.push(gateway);
  const ask = async (uid: string) => {
    const response = await fetch(`http://127.0.0.1:${gateway.port}/match?uid=${uid}`, {
      signal: AbortSignal.timeout(10_000),
    });
    const json = (await response.json()) as { userCrowds?: string[]; status?: unknown; asOf?: string };
    return { httpStatus: response.status, retryAfter: response.headers.get('retry-after'), ...json };
  };
  return { gateway, ask };
}

const embedded = { kind: 'embedded', folder: path.join(data.folder, 'store') } as const;
const awayHBase = async () =>
  ({
    kind: 'hbase',
    nodes: [{ host: '127.0.0.1', port: await findFreePort() }],
    user: 'quanren',
    tls: undefined,
  }) as const;

async function awayRedis() {
  const location = locateRedis({
    ...{ 'redis.cluster': false, 'redis.sentinelName': '', 'redis.sentinelPassword': '', 'redis.caFile': '' },
    ...{ 'redis.url': `redis://127.0.0.1:${await findFreePort()}`, 'redis.instance': 'quanren' },
  });
  return location && { location, timeoutMs: 20 };
}

test('with every back end away a gateway starts, answers for whom it knew, and says since when', async () => {
  await data.setCrowd('vip', 'active');
  await data.change('u1', 'vip', 'enter');
  data.startBeats();
  const { gateway, ask } = await start(data.bus, embedded);
  await until('fresh', async () => (await ask('u1')).status === 'fresh');
  assert.deepEqual((await ask('u1')).userCrowds, ['vip']);
  assert.deepEqual((await ask('nobody')).userCrowds, []);
  await data.stopBeats();
  const stoppedAtMs = Date.now();
  await gateway.stop();
  gateways.pop();

  const again = await start(deadBus, await awayHBase(), await awayRedis());
  const troubles = (await again.gateway.firstLook()).join('\n');
  assert.match(troubles, /^The stream of changes: cannot be followed: The bus cannot be reached$/m);
  assert.match(troubles, /^The shared cache: not used: connect ECONNREFUSED/m);
  assert.match(troubles, /^The store: not reached yet: .+$/m);
  const metrics = await (await fetch(`http://127.0.0.1:${again.gateway.metricsPort}/metrics`)).text();
  assert.match(metrics, /^quanren_gateway_store_server_away\{worker="0",server="127\.0\.0\.1:\d+"\} 1$/m);
  await until('stale', async () => (await again.ask('u1')).status === 'stale');
  const known = await again.ask('u1');
  assert.deepEqual(known.userCrowds, ['vip']);
  const asOfMs = Date.parse(String(known.asOf));
  assert.ok(
    asOfMs <= stoppedAtMs && asOfMs > stoppedAtMs - 1_000,
    `${stoppedAtMs - asOfMs} ms before the stop`,
  );
  assert.deepEqual((await again.ask('nobody')).userCrowds, []);
  const unknown = await again.ask('u2');
  assert.equal(unknown.httpStatus, 503);
  assert.equal(unknown.retryAfter, '1');
  await again.gateway.stop();
  gateways.pop();
});

test('who changed before he was saved is kept when the stream is replayed; who changed later is not', async () => {
  data.startBeats();
  const first = await start(data.bus, embedded);
  await until('fresh', async () => (await first.ask('u1')).status === 'fresh');
  const nowMs = Date.now();
  await data.change('u1', 'vip', 'leave', nowMs);
  await data.change('u1', 'vip', 'enter', nowMs + 1);
  await until(
    'the change is known',
    async () => (await first.ask('u1')).userCrowds?.includes('vip') === true,
  );
  assert.deepEqual((await first.ask('later')).userCrowds, []);
  await first.gateway.stop();
  gateways.pop();
  await data.change('later', 'vip', 'enter');

  const again = await start(data.bus, await awayHBase());
  await until('the stream is followed', async () => (await again.ask('later')).httpStatus === 503);
  await until('fresh', async () => (await again.ask('u1')).status === 'fresh');
  assert.deepEqual((await again.ask('u1')).userCrowds, ['vip']);
  assert.equal((await again.ask('later')).httpStatus, 503);
  await data.stopBeats();
  await until('stale', async () => (await again.ask('u1')).status === 'stale');
  await again.gateway.stop();
  gateways.pop();
});

test('what changed while no gateway ran is known once the stream is followed again', async () => {
  await data.change('u1', 'vip', 'leave');
  data.startBeats();
  const { ask } = await start(data.bus, embedded);
  await until('fresh', async () => (await ask('u1')).status === 'fresh');
  assert.deepEqual((await ask('u1')).userCrowds, []);
});

test('it saves while it runs, too: one that dies without a word has lost no more than the last minutes', async () => {
  const { gateway, ask } = await start(data.bus, embedded, undefined, 200);
  await until('fresh', async () => (await ask('met late')).status === 'fresh');
  const again = async () => {
    const { gateway: second, ask: askSecond } = await start(deadBus, await awayHBase());
    const { userCrowds } = await askSecond('met late');
    await second.stop();
    gateways.pop();
    return userCrowds;
  };
  // The first one still runs: nothing but its timer can have saved.
  await until('somebody who begins now knows him', async () => (await again()) !== undefined);
  await gateway.stop();
  gateways.pop();
});
