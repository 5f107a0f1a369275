/** What the gateway's log tells of users, callers and failures. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { createApiKey } from '../../../auth/api-keys.js';
import { findFreePort } from '../../../cli/ports.js';
import { Log } from '../../../events/embedded/log.js';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';
import { Inspector } from './inspector.js';

const UID = 'uid-00095';
const DEAD_LETTERS = 'quanren_gateway_stream_dead_letters_total{topic="membership-changes"}';

const data = new DataFolder();
const started: GatewayProcess[] = [];
after(async () => {
  for (const gateway of started) await gateway.stop();
  await data.remove();
});

test('no user and no credential, whatever fails; and what fails again and again is one line', async () => {
  await data.setCrowd('vip', 'active');
  data.startBeats();
  const caller = createApiKey('app', ['match:read']);
  const file = path.join(data.folder, 'keys.json');
  writeFileSync(file, JSON.stringify([caller.entry]));
  const gateway = await GatewayProcess.start(data, {
    QUANREN_AUTH_API_KEYS_FILE: file,
    QUANREN_HBASE_NODES: `127.0.0.1:${await findFreePort()}`,
    QUANREN_GATEWAY_WORKERS: '1',
    NODE_OPTIONS: '--inspect-port=0',
  });
  started.push(gateway);
  const ask = async (target: string, init: { method?: string; body?: string } = {}) =>
    (
      await gateway.get(target, {
        ...init,
        headers: { authorization: `Bearer ${caller.key}`, 'content-type': 'application/json' },
      })
    ).status;
  const batch = { method: 'POST', body: JSON.stringify({ uids: [UID] }) };
  await until('the catalog', async () => (await ask('/readyz')) === 200);

  // A store that is away, and what is no request of ours.
  assert.equal(await ask(`/match?uid=${UID}`), 503);
  assert.equal(await ask(`/match?uid=${UID}&crowdCode=vip`), 503);
  assert.equal(await ask('/match/batch', batch), 200);
  assert.equal(await ask(`/tags?uid=${UID}`), 503);
  assert.equal(await ask(`/nowhere/${UID}?uid=${UID}`), 404);
  const stranger = await gateway.get(`/match?uid=${UID}`, {
    headers: { authorization: `Bearer ${UID}` },
  });
  assert.equal(stranger.status, 401);

  // Messages that break their schema.
  const log = new Log(path.join(data.folder, 'bus'));
  const poison = { key: UID, value: Buffer.from(JSON.stringify({ type: 'membership-changed', uid: [UID] })) };
  await log.transact(() => log.append('membership-changes', 0, new Array(20).fill(poison), Date.now()));
  await log.close();
  await until('they are counted', async () => (await gateway.metric(DEAD_LETTERS)) === 20);

  // Defects of a request, and one that ends the worker.
  const [worker] = gateway.workers();
  assert.ok(worker);
  const inspector = await Inspector.open(gateway, worker);
  await inspector.evaluate(`{
    const { includes } = Array.prototype;
    let left = 20;
    Array.prototype.includes = function (sought) {
      if (this[1] === 'crowdCode' && left-- > 0) throw new Error('${UID}');
      return includes.call(this, sought);
    };
  }`);
  const oddly = `/match?&uid=${UID}`;
  for (let i = 0; i < 20; i++) assert.equal(await ask(oddly), 500);
  assert.equal(await ask(oddly), 503);
  // It may not live to answer.
  await inspector.evaluate(`setTimeout(() => { throw new Error('${UID}'); })`).catch(() => undefined);
  inspector.close();
  const told = (words: string) => gateway.output.split(words).length - 1;
  await until('another one serves', () => told('The worker serves') === 2);

  const { output } = gateway;
  assert.ok(!output.includes('00095'), output);
  assert.ok(!output.includes(caller.key), output);
  assert.equal(told('A message of membership-changes failed: It was put aside'), 1, output);
  assert.equal(told('A request failed: Error, a defect'), 1, output);
  assert.equal(told('A defect ends this process'), 1);
  assert.match(output, /The store: not reached yet/);
});
