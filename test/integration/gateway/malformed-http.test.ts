/**
 * Thousands of requests that are not what they should be, on every transport: each is answered or its connection closed,
 * none is 5xx, no worker dies, nothing is left behind. A failure names the request: `mutatedRequest(SEED, index)`.
 *
 *   REQUESTS=1000000 node dist/test/integration/gateway/malformed-http.test.js
 *
 * The bounds on memory are the same however many requests there are: the more, the smaller a leak they find.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';
import { Inspector } from './inspector.js';
import { mutatedRequest } from './mutated-requests.js';

const SEED = 20_261_123;
const REQUESTS = Number(process.env.REQUESTS ?? 10_000);
/** Before memory is looked at for the first time. */
const WARM_UP = 2_000;
const AT_ONCE = 32;
/** A request that has drawn no byte for this long is taken for unfinished: its client says that it will send no more. */
const PATIENCE_MS = 25;
const CLOSED_WITHIN_MS = 5_000;
/** Of what a full garbage collection leaves. */
const MAX_LIVE_GROWTH_MIB = 2;
/** With what the allocators keep: beyond what the young generation may take by itself (gateway/supervision/worker-pool.ts). */
const MAX_RESIDENT_GROWTH_MIB = 64;
const MUST_NOT_BE = /^HTTP\/1\.1 5(?!05|01)/;

const data = new DataFolder();
const gateways: GatewayProcess[] = [];
after(async () => {
  for (const gateway of gateways) await gateway.stop();
  await data.remove();
});
await data.setCrowd('vip', 'active');
await data.change('u1', 'vip', 'enter');
data.startBeats();

/** What came back, up to the end of the connection; rejects where that does not come. */
function exchange(port: number, pieces: readonly Buffer[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    let isConnected = false;
    const patience = setTimeout(() => socket.end(), PATIENCE_MS);
    const deadline = setTimeout(() => {
      socket.destroy();
      reject(new Error(`neither answered nor closed; received: ${received.slice(0, 200)}`));
    }, CLOSED_WITHIN_MS);
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      patience.refresh();
    });
    socket.on('error', (error) => {
      // A server that closes on what it will not read resets the connection.
      if (!isConnected) reject(error);
    });
    socket.on('close', () => {
      clearTimeout(patience);
      clearTimeout(deadline);
      resolve(received);
    });
    socket.on('connect', () => {
      isConnected = true;
      void (async () => {
        for (const [i, piece] of pieces.entries()) {
          if (i > 0) await sleep(1);
          if (socket.writable) socket.write(piece);
        }
      })();
    });
  });
}

async function attack(port: number, from: number, to: number, statuses: Map<string, number>): Promise<void> {
  let next = from;
  const attackOn = async (): Promise<void> => {
    while (next < to) {
      const index = next++;
      const received = await exchange(port, mutatedRequest(SEED, index)).catch((error: unknown) => {
        throw new Error(`request ${index}`, { cause: error });
      });
      assert.ok(
        received === '' || /^HTTP\/1\.1 \d{3} /.test(received),
        `request ${index}: ${received.slice(0, 99)}`,
      );
      assert.doesNotMatch(received, MUST_NOT_BE, `request ${index}`);
      const status = received.slice(9, 12) || 'closed';
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, attackOn));
}

const residentMib = (pid: number) =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1_024;
const openFiles = (pid: number) => (process.platform === 'linux' ? readdirSync(`/proc/${pid}/fd`).length : 0);

for (const transport of ['auto', 'node-http']) {
  test(`${transport}: ${REQUESTS} malformed requests`, { timeout: 120_000 + 20 * REQUESTS }, async (t) => {
    const gateway = await GatewayProcess.start(data, {
      QUANREN_GATEWAY_TRANSPORT: transport,
      QUANREN_GATEWAY_WORKERS: '1',
      NODE_OPTIONS: '--inspect-port=0',
    });
    gateways.push(gateway);
    await gateway.ready();
    const port = Number(new URL(gateway.url).port);
    const workers = gateway.workers();
    const [worker = 0] = workers;
    const inspector = await Inspector.open(gateway, worker);
    const measure = async () => ({
      liveMib: (await inspector.liveBytes()) / 2 ** 20,
      residentMib: residentMib(worker),
    });
    const statuses = new Map<string, number>();
    const filesBefore = openFiles(worker);
    await attack(port, 0, WARM_UP, statuses);
    const before = await measure();
    await attack(port, WARM_UP, REQUESTS, statuses);
    const after = await measure();
    inspector.close();
    const said = [...statuses].sort().map(([status, count]) => `${status}: ${count}`);
    const growth = (what: 'liveMib' | 'residentMib') =>
      `${before[what].toFixed(1)} → ${after[what].toFixed(1)} MiB`;
    t.diagnostic(`${said.join(', ')}; live ${growth('liveMib')}, resident ${growth('residentMib')}`);

    assert.deepEqual(gateway.workers(), workers, 'no worker died');
    assert.ok(after.liveMib - before.liveMib < MAX_LIVE_GROWTH_MIB, `live ${growth('liveMib')}`);
    assert.ok(
      after.residentMib - before.residentMib < MAX_RESIDENT_GROWTH_MIB,
      `resident ${growth('residentMib')}`,
    );
    // Mutations must not be so wild that nothing gets past the parser, nor so tame that nothing is refused.
    for (const status of ['200', '400', '404', '405'])
      assert.ok((statuses.get(status) ?? 0) > REQUESTS / 1_000, said.join());
    assert.doesNotMatch(gateway.output, /A request failed/);
    await until('every connection is closed', async () => openFiles(worker) <= filesBefore + 1);
    await sleep(600);
    assert.equal(await gateway.metric('quanren_gateway_requests_in_flight{worker="0"}'), 0);
    for (let i = 0; i < 3; i++)
      assert.deepEqual(await gateway.json('/match?uid=u1'), {
        uid: 'u1',
        userCrowds: ['vip'],
        status: 'fresh',
      });
  });
}
