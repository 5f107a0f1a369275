/** A worker answers as many users in a second as it is set to, and refuses what is beyond at once. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const data = new DataFolder();
await data.setCrowd('vip', 'active');
data.startBeats();
const gateway = await GatewayProcess.start(data, {
  QUANREN_GATEWAY_WORKERS: '1',
  QUANREN_GATEWAY_WORKER_USERS_PER_SECOND: '20',
});
await gateway.ready();
after(async () => {
  await gateway.stop();
  await data.remove();
});

const BATCH = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"uids":["u1","u2"]}',
};

test('what is beyond the rate is a 503 with Retry-After, for each way to ask, and counted', async () => {
  const startedMs = performance.now();
  let answered = 0;
  let refused = 0;
  while (performance.now() - startedMs < 2_000) {
    const response = await gateway.get('/match?uid=u1');
    if (response.status === 200) {
      answered += 1;
      await response.arrayBuffer();
      continue;
    }
    refused += 1;
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    assert.equal(((await response.json()) as { code: string }).code, 'overloaded');
  }
  const tookSeconds = (performance.now() - startedMs) / 1_000;
  assert.ok(refused > 0);
  assert.ok(answered >= 20 && answered <= 20 * (tookSeconds + 1) + 1, `${answered} in ${tookSeconds} s`);
  // A user fits again every 50 ms: one of a few quick requests must find it full.
  for (const [target, init] of [
    ['/match?uid=%75', {}],
    ['/tags?uid=u1', {}],
    ['/match/batch', BATCH],
  ] as const) {
    const responses = await Promise.all(Array.from({ length: 30 }, () => gateway.get(target, init)));
    assert.ok(
      responses.some(({ status }) => status === 503),
      target,
    );
  }
  assert.equal((await gateway.get('/readyz')).status, 200);
});
