/** Workers that die are replaced while the others serve; the gateway starts, refuses to start, and stops as it should. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestInit } from 'undici';
import { createApiKey } from '../../../auth/api-keys.js';
import { until } from '../../support/until.js';
import { workersFor } from '../../support/workers.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';
import { befall, type WorkerFault } from './worker-faults.js';

const data = new DataFolder();
const gateways: GatewayProcess[] = [];
after(async () => {
  for (const gateway of gateways) await gateway.stop();
  await data.remove();
});
await data.setCrowd('vip', 'active');
await data.memberships.apply(
  [{ uid: 'u1', crowdCode: 'vip', kind: 'enter', changeTimeMs: Date.now() }],
  Date.now(),
);
data.startBeats();

async function start(environment: Record<string, string> = {}): Promise<GatewayProcess> {
  const gateway = await (await GatewayProcess.start(data, environment)).ready();
  gateways.push(gateway);
  return gateway;
}

type Fault = { readonly reason: string } & (
  | { readonly name: WorkerFault }
  | { readonly name: string; readonly signal: NodeJS.Signals }
);

const FAULTS: readonly Fault[] = [
  { name: 'is killed', signal: 'SIGKILL', reason: 'signal' },
  { name: 'stands still', signal: 'SIGSTOP', reason: 'stuck' },
  { name: 'throws', reason: 'exit' },
  { name: 'spins', reason: 'stuck' },
  { name: 'runs out of memory', reason: 'signal' },
];

const WORKERS = workersFor(3);

for (const fault of FAULTS) {
  const { name, reason } = fault;
  test(`a worker that ${name} is replaced while the others serve`, { timeout: 60_000 }, async () => {
    const gateway = await start({
      QUANREN_GATEWAY_WORKERS: String(WORKERS),
      QUANREN_GATEWAY_WORKER_HEAP_MIB: '64',
      NODE_OPTIONS: '--inspect-port=0',
    });
    const before = gateway.workers();
    assert.equal(before.length, WORKERS);
    const [victim = 0] = before;
    const faultAt = Date.now();
    if ('signal' in fault) process.kill(victim, fault.signal);
    else await befall(gateway, victim, fault.name);
    let hasAnswered = false;
    const replaced = await until(
      'the replacement',
      async () => {
        // A connection may meet the broken worker until it is gone: the client tries again.
        try {
          const response = await gateway.get('/match?uid=u1', {
            headers: { connection: 'close' },
            signal: AbortSignal.timeout(300),
          });
          assert.equal(await response.text(), '{"uid":"u1","userCrowds":["vip"],"status":"fresh"}');
          hasAnswered = true;
        } catch (error) {
          if (error instanceof assert.AssertionError) throw error;
        }
        const now = gateway.workers();
        return hasAnswered && !now.includes(victim) && now.length === WORKERS ? now : undefined;
      },
      20_000,
    );
    assert.deepEqual(
      replaced.filter((pid) => before.includes(pid)),
      before.slice(1),
      'the others live on',
    );
    assert.ok(Date.now() - faultAt < 15_000);
    await until('all serve', async () => (await gateway.metric('quanren_gateway_workers')) === WORKERS);
    assert.equal(await gateway.metric(`quanren_gateway_worker_restarts_total{reason="${reason}"}`), 1);
    // The new one knows the catalog and the stream.
    for (let i = 0; i < 20; i++) {
      const response = await gateway.get('/match?uid=u1&crowdCode=vip', { headers: { connection: 'close' } });
      assert.equal(((await response.json()) as { isMatch: boolean }).isMatch, true);
    }
    await gateway.stop();
    assert.equal(gateway.child.exitCode, 0);
  });
}

test('that there are no crowds is believed only of a stream that a platform writes to', async () => {
  const empty = new DataFolder();
  const gateway = await GatewayProcess.start(empty);
  gateways.push(gateway);
  assert.match(gateway.output, /tells of no crowd and nobody writes to it/);
  assert.equal((await gateway.get('/readyz')).status, 503);
  assert.equal((await gateway.get('/match?uid=u1')).status, 503);
  empty.startBeats();
  await gateway.ready();
  assert.deepEqual(await gateway.json('/match?uid=u1'), { uid: 'u1', userCrowds: [], status: 'fresh' });
  await gateway.stop();
  await empty.remove();
});

test('SIGTERM: what is in flight is answered, nothing more is accepted, exit 0', async () => {
  const gateway = await start();
  const slow = createSlowPost(gateway.url);
  await sleep(100);
  gateway.child.kill('SIGTERM');
  await sleep(300);
  const late = connect(Number(new URL(gateway.url).port), '127.0.0.1');
  const [refused] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(refused.code, 'ECONNREFUSED');
  assert.match(await slow(), /^HTTP\/1\.1 200 OK[\s\S]*"userCrowds":\["vip"\]/);
  if (gateway.child.exitCode === null) await once(gateway.child, 'exit');
  assert.equal(gateway.child.exitCode, 0);
});

/** A batch whose body comes in two parts: the second when the returned function is called, which gives the answer. */
function createSlowPost(url: string): () => Promise<string> {
  const body = '{"uids":["u1"]}';
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(
    `POST /match/batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 5)}`,
  );
  return async () => {
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    socket.write(body.slice(5));
    await once(socket, 'close');
    return received;
  };
}

test('workers end with a main process that is killed, and the port is free again', async () => {
  const gateway = await start();
  const workers = gateway.workers();
  assert.equal(workers.length, workersFor(2));
  gateway.child.kill('SIGKILL');
  await once(gateway.child, 'exit');
  const port = new URL(gateway.url).port;
  const next = await until('another gateway on the port', () =>
    GatewayProcess.start(data, { QUANREN_GATEWAY_PORT: port }).catch(() => undefined),
  );
  gateways.push(next);
});

test('a port in use is a clear message with its setting, and no process is left', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  await assert.rejects(GatewayProcess.start(data, { QUANREN_GATEWAY_PORT: port }), {
    message: new RegExp(`Port ${port} .*QUANREN_GATEWAY_PORT`),
  });
  await assert.rejects(GatewayProcess.start(data, { QUANREN_GATEWAY_METRICS_PORT: port }), {
    message: new RegExp(`Port ${port} .*QUANREN_GATEWAY_METRICS_PORT`),
  });
  taken.close();
  const first = await start();
  await assert.rejects(GatewayProcess.start(data, { QUANREN_GATEWAY_PORT: new URL(first.url).port }), {
    message: /is in use/,
  });
  await first.stop();
});

test('it listens beyond loopback only with auth and TLS, or by an honest setting', async () => {
  await assert.rejects(GatewayProcess.start(data, { QUANREN_GATEWAY_HOST: '0.0.0.0' }), {
    message: /authentication and TLS are off/,
  });
  const open = await start({
    QUANREN_GATEWAY_HOST: '0.0.0.0',
    QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS: 'true',
  });
  assert.match(open.output, /ANYONE may ask/);
  await open.stop();
});

test('with API keys: 401, 403 and 200 as RFC 6750 has them', async () => {
  const [reader, other] = [createApiKey('app', ['match:read']), createApiKey('writer', ['tags:write'])];
  const file = path.join(data.folder, 'keys.json');
  writeFileSync(file, JSON.stringify([reader.entry, other.entry]));
  const gateway = await start({ QUANREN_AUTH_API_KEYS_FILE: file });
  const ask = (target: string, key?: string, init: RequestInit = {}) =>
    gateway.get(target, {
      ...init,
      headers: {
        'content-type': 'application/json',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
    });
  const body = '{"uids":["u1"]}';
  for (const [target, init] of [
    ['/match?uid=u1', {}],
    ['/tags?uid=u1', {}],
    ['/match/batch', { method: 'POST', body }],
  ] as const) {
    const missing = await ask(target, undefined, init);
    assert.equal(missing.status, 401, target);
    assert.equal(missing.headers.get('www-authenticate'), 'Bearer realm="quanren"');
    const wrong = await ask(target, `${reader.key.slice(0, -1)}!`, init);
    assert.equal(wrong.status, 401);
    assert.match(wrong.headers.get('www-authenticate') ?? '', /error="invalid_token"/);
    const forbidden = await ask(target, other.key, init);
    assert.equal(forbidden.status, 403);
    assert.match(forbidden.headers.get('www-authenticate') ?? '', /insufficient_scope.*match:read/);
    for (let i = 0; i < 3; i++) assert.equal((await ask(target, reader.key, init)).status, 200, target);
  }
  assert.equal((await ask('/healthz')).status, 200);
  await gateway.stop();
});

test('through node:http it serves the same, with one worker, and says so', async () => {
  const gateway = await start({ QUANREN_GATEWAY_TRANSPORT: 'node-http' });
  for (let i = 0; i < 3; i++)
    assert.deepEqual(await gateway.json('/match?uid=u1'), {
      uid: 'u1',
      userCrowds: ['vip'],
      status: 'fresh',
    });
  assert.equal(gateway.workers().length, 1);
  assert.match(gateway.output, /node:http/);
  await gateway.stop();
  assert.equal(gateway.child.exitCode, 0);
});
