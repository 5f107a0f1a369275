/** The gateway as its callers see it: real process, real stores, real bus. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { RequestInit } from 'undici';
import { Log } from '../../../events/embedded/log.js';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const data = new DataFolder();
let gateway: GatewayProcess;

before(async () => {
  for (const code of ['big_spenders', 'vip']) await data.setCrowd(code, 'active');
  await data.setCrowd('asleep', 'paused');
  const at = Date.now() - 1_000;
  await data.memberships.apply(
    ['vip', 'asleep', 'big_spenders', 'never_published'].map((crowdCode) => ({
      uid: 'u1',
      crowdCode,
      kind: 'enter' as const,
      changeTimeMs: at,
    })),
    Date.now(),
  );
  await data.memberships.apply(
    [{ uid: '圈 人+😀"', crowdCode: 'vip', kind: 'enter', changeTimeMs: at }],
    Date.now(),
  );
  await data.tags.apply(
    [
      { uid: 'u1', tagCode: 'rt_last_click_ts', value: '1678886400', changeTimeMs: at },
      { uid: 'u1', tagCode: 'rt_active_status', value: 'online', changeTimeMs: at },
    ],
    Date.now(),
  );
  data.startBeats();
  gateway = await (await GatewayProcess.start(data)).ready();
});
after(async () => {
  await gateway.stop();
  await data.remove();
});

test('the crowds of a user: active ones, sorted; from the store and then from the cache the same bytes', async () => {
  const expected = '{"uid":"u1","userCrowds":["big_spenders","vip"],"status":"fresh"}';
  for (let i = 0; i < 6; i++) {
    for (const path of ['/match', '/api/crowd/match']) {
      const response = await gateway.get(`${path}?uid=u1`);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-type'), 'application/json');
      assert.equal(response.headers.get('cache-control'), 'no-store');
      assert.equal(await response.text(), expected);
    }
  }
  assert.deepEqual(await gateway.json('/match?uid=nobody'), {
    uid: 'nobody',
    userCrowds: [],
    status: 'fresh',
  });
});

test('one crowd of a user, with the reason when he is not in it', async () => {
  const cases: [string, object][] = [
    ['vip', { isMatch: true }],
    ['asleep', { isMatch: false, reason: 'paused_crowd' }],
    ['never_published', { isMatch: false, reason: 'unknown_crowd' }],
    ['NO%20code', { isMatch: false, reason: 'unknown_crowd' }],
  ];
  for (const [code, answer] of cases) {
    for (let i = 0; i < 3; i++) {
      assert.deepEqual(await gateway.json(`/match?uid=u1&crowdCode=${code}`), {
        uid: 'u1',
        crowdCode: decodeURIComponent(code),
        ...answer,
        status: 'fresh',
      });
    }
  }
  const other = await gateway.json('/match?crowdCode=vip&uid=u2');
  assert.deepEqual(other, {
    uid: 'u2',
    crowdCode: 'vip',
    isMatch: false,
    reason: 'not_member',
    status: 'fresh',
  });
});

test('uids of any characters', async () => {
  const uid = '圈 人+😀"';
  for (let i = 0; i < 3; i++) {
    for (const query of [`uid=${encodeURIComponent(uid)}`, new URLSearchParams({ uid }).toString()]) {
      assert.deepEqual(await gateway.json(`/match?${query}`), { uid, userCrowds: ['vip'], status: 'fresh' });
    }
  }
  const longest = 'x'.repeat(512);
  assert.equal((await gateway.get(`/match?uid=${longest}`)).status, 200);
});

test('what is wrong with a request is a problem document', async () => {
  const cases: [string, RequestInit, number, string][] = [
    ['/match', {}, 400, 'bad_request'],
    ['/match?uid=', {}, 400, 'invalid_uid'],
    ['/match?uid=a&uid=b', {}, 400, 'bad_request'],
    ['/match?uid=%E5%9C', {}, 400, 'bad_request'],
    ['/match?uid=a%00', {}, 400, 'invalid_uid'],
    [`/match?uid=${'x'.repeat(513)}`, {}, 400, 'invalid_uid'],
    ['/match?uid=a&crowdCode=', {}, 400, 'bad_request'],
    [`/match?uid=a&crowdCode=${'x'.repeat(51)}`, {}, 400, 'bad_request'],
    ['/tags', {}, 400, 'bad_request'],
    ['/nothing', {}, 404, 'not_found'],
    ['/match/', {}, 404, 'not_found'],
    ['/match', { method: 'POST' }, 405, 'method_not_allowed'],
    ['/match/batch', {}, 405, 'method_not_allowed'],
    ['/match/batch', { method: 'POST', body: '{}' }, 415, 'unsupported_media_type'],
  ];
  for (const [target, init, status, code] of cases) {
    const response = await gateway.get(target, init);
    assert.equal(response.status, status, target);
    assert.equal(response.headers.get('content-type'), 'application/problem+json');
    const problem = (await response.json()) as Record<string, unknown>;
    assert.equal(problem.code, code, target);
    assert.equal(problem.status, status);
    if (status === 405)
      assert.equal(
        response.headers.get('allow'),
        target === '/match' ? 'GET, HEAD, OPTIONS' : 'POST, OPTIONS',
      );
  }
  const options = await gateway.get('/match', { method: 'OPTIONS' });
  assert.equal(options.status, 204);
  assert.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS');
  const head = await gateway.get('/match?uid=u1', { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(
    Number(head.headers.get('content-length')),
    (await (await gateway.get('/match?uid=u1')).text()).length,
  );
});

const postBatch = (body: string) =>
  gateway.get('/match/batch', { method: 'POST', body, headers: { 'content-type': 'application/json' } });

test('a batch keeps order and repeats, and reports per item', async () => {
  const response = await postBatch(
    JSON.stringify({ uids: ['u1', 'nobody', '', 'u1'], crowdCodes: ['vip', 'x'] }),
  );
  assert.equal(response.status, 200);
  const { results } = (await response.json()) as { results: Record<string, unknown>[] };
  const member = {
    uid: 'u1',
    matches: [
      { crowdCode: 'vip', isMatch: true },
      { crowdCode: 'x', isMatch: false, reason: 'unknown_crowd' },
    ],
    status: 'fresh',
  };
  assert.deepEqual([results[0], results[3]], [member, member]);
  assert.equal(results[1]?.uid, 'nobody');
  assert.match(JSON.stringify(results[2]?.error), /"code":"invalid_uid"/);
  const lists = (await (await postBatch('{"uids":["u1","u9"]}')).json()) as { results: object[] };
  assert.deepEqual(lists.results, [
    { uid: 'u1', userCrowds: ['big_spenders', 'vip'], status: 'fresh' },
    { uid: 'u9', userCrowds: [], status: 'fresh' },
  ]);
  const thousand = Array.from({ length: 1_000 }, (_, i) => `b${i}`);
  const big = (await (await postBatch(JSON.stringify({ uids: thousand }))).json()) as {
    results: { uid: string }[];
  };
  assert.deepEqual(
    big.results.map(({ uid }) => uid),
    thousand,
  );
  assert.deepEqual(await (await postBatch('{"uids":[]}')).json(), { results: [] });
});

test('a batch that is none is refused whole', async () => {
  for (const body of [
    '',
    '{',
    '[]',
    '{}',
    '{"uids":"u1"}',
    '{"uids":[1]}',
    '{"uids":["a"],"crowdCodes":[""]}',
    '{"uids":["a"],"crowdCode":"vip"}',
  ]) {
    assert.equal((await postBatch(body)).status, 400, body);
  }
  const tooMany = JSON.stringify({ uids: new Array(1_001).fill('u') });
  assert.equal((await postBatch(tooMany)).status, 400);
  assert.equal((await postBatch(' '.repeat(5_000_000))).status, 413);
});

test('realtime tags, sorted', async () => {
  const response = await gateway.get('/tags?uid=u1');
  assert.equal(
    await response.text(),
    '{"uid":"u1","tags":{"rt_active_status":"online","rt_last_click_ts":"1678886400"},"status":"fresh"}',
  );
  assert.deepEqual(await gateway.json('/tags?uid=nobody'), { uid: 'nobody', tags: {}, status: 'fresh' });
});

test('health, readiness and the OpenAPI document are there', async () => {
  for (const path of ['/healthz', '/readyz']) assert.equal((await gateway.get(path)).status, 200);
  const document = await gateway.json('/openapi.json');
  assert.equal(document.openapi, '3.1.0');
  assert.ok(Object.hasOwn(document.paths as object, '/match'));
});

test('requests, hits and fills are counted', async () => {
  const requests = 'quanren_gateway_requests_total{endpoint="match",outcome="ok"}';
  const before = {
    requests: await gateway.metric(requests),
    hits: await gateway.metric('quanren_gateway_cache_hits_total'),
  };
  for (let i = 0; i < 100; i++) await (await gateway.get('/match?uid=u1')).text();
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  assert.ok((await gateway.metric(requests)) >= before.requests + 100);
  assert.ok((await gateway.metric('quanren_gateway_cache_hits_total')) >= before.hits + 95);
  assert.ok((await gateway.metric('quanren_gateway_cache_fills_total')) > 0);
  assert.equal(await gateway.metric('quanren_gateway_catalog_crowds{status="paused"}'), 1);
});

test('a message that breaks its schema is put aside and counted, and what follows it arrives', async () => {
  const log = new Log(path.join(data.folder, 'bus'));
  await log.transact(() =>
    log.append('crowd-rules', 0, [{ key: 'vip', value: Buffer.from('{"crowdCode":"vip"}') }], Date.now()),
  );
  await log.close();
  await data.setCrowd('late', 'active');
  await until('the crowd after it, and the count', async () => {
    const active = await gateway.metric('quanren_gateway_catalog_crowds{status="active"}');
    const aside = await gateway.metric('quanren_gateway_stream_dead_letters_total{topic="crowd-rules"}');
    return active === 3 && aside === 1;
  });
});
