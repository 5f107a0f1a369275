import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPlatformApi, type PlatformApi } from '../../support/platform-api.js';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.js';

let server: TestPostgres;
let api: PlatformApi;
before(async () => {
  server = await startTestPostgres();
  api = await openPlatformApi(server);
  await api.ask('PUT /tags/age', { body: AGE });
});
after(async () => {
  await api.close();
  await server.stop();
});

const AGE = { tagName: '年龄', tagType: 'numeric', sourceType: 'INT' };
const OVER_18 = { tag_code: 'age', op: '>', value: 18 };
const crowd = (rule: unknown = OVER_18, more = {}) => ({ crowdName: '成年人', rule, ...more });
const codes = (answer: { json: Record<string, unknown> }) =>
  (answer.json.diagnostics as { code: string }[]).map(({ code }) => code);

test('tags: created, read, changed under If-Match, listed in pages, deleted', async () => {
  const created = await api.ask('PUT /tags/city', { body: { tagName: 'City', tagType: 'enum' } });
  assert.deepEqual([created.status, created.headers.etag, created.json.bizKeyField], [201, '"1"', 'uid']);
  const createTime = String(created.json.createTime);
  assert.equal(new Date(createTime).toISOString(), createTime);
  const same = await api.ask('PUT /tags/city', { body: { tagName: 'City', tagType: 'enum' } });
  assert.deepEqual([same.status, same.headers.etag], [200, '"1"']);
  const body = { tagName: 'City', tagType: 'enum', owner: 'Ann' };
  const lost = await api.ask('PUT /tags/city', { body, headers: { 'if-match': '"7"' } });
  assert.deepEqual([lost.status, lost.json.code, lost.json.currentVersion], [412, 'precondition_failed', 1]);
  const changed = await api.ask('PUT /tags/city', { body, headers: { 'if-match': '"1"' } });
  assert.deepEqual([changed.status, changed.headers.etag], [200, '"2"']);
  const exists = await api.ask('PUT /tags/city', { body, headers: { 'if-none-match': '*' } });
  assert.equal(exists.status, 412);
  const first = await api.ask('GET /tags?limit=1');
  assert.equal((first.json.items as { tagCode: string }[])[0]?.tagCode, 'age');
  const second = await api.ask(`GET /tags?limit=1&cursor=${String(first.json.next)}`);
  assert.equal((second.json.items as { tagCode: string }[])[0]?.tagCode, 'city');
  assert.equal(second.json.next, null);
  assert.equal((await api.ask('GET /tags?tagType=enum')).json.next, null);
  assert.equal((await api.ask('DELETE /tags/city')).status, 204);
  assert.equal((await api.ask('GET /tags/city')).status, 404);
});

test('a tag that is wrong: what the schema refuses is 400, what the language refuses 422', async () => {
  const unknown = await api.ask('PUT /tags/x', { body: { ...AGE, colour: 'red', tagType: 'float' } });
  assert.equal(unknown.status, 400);
  assert.match(unknown.text, /'colour'/);
  assert.match(unknown.text, /tagType/);
  const float = await api.ask('PUT /tags/x', { body: { ...AGE, sourceType: 'DOUBLE' } });
  assert.deepEqual([float.status, codes(float)], [422, ['float_column']]);
  assert.equal((await api.ask('PUT /tags/Age', { body: AGE })).status, 400);
  assert.equal((await api.ask('PUT /tags/x', { body: { ...AGE, tagName: 'a\u0000b' } })).status, 400);
  assert.equal((await api.ask('PUT /tags/x', { body: { ...AGE, tagName: 7 } })).status, 400);
});

test('a crowd is created once, and replaced only by who has seen it', async () => {
  const path = '/crowds/adults';
  const created = await api.ask(`PUT ${path}`, { body: crowd(), headers: { 'if-none-match': '*' } });
  assert.deepEqual([created.status, created.headers.etag, created.json.status], [201, '"1"', 'active']);
  assert.deepEqual(created.json.rule, OVER_18);
  const again = await api.ask(`PUT ${path}`, { body: crowd(), headers: { 'if-none-match': '*' } });
  assert.equal(again.status, 412);
  const blind = await api.ask(`PUT ${path}`, { body: crowd() });
  assert.deepEqual([blind.status, blind.json.currentVersion], [428, 1]);
  const exact = '{"tag_code":"age","op":">", "value": 0.1000000000000000000000000000000000001 }';
  const text = `{"crowdName":"成年人","rule":${exact},"reason":"digits"}`;
  const changed = await api.ask(`PUT ${path}`, { text, headers: { 'if-match': '"1"' } });
  assert.deepEqual([changed.status, changed.headers.etag], [200, '"2"']);
  assert.ok((await api.ask(`GET ${path}`)).text.includes(`"rule":${exact}`));
  const late = await api.ask(`PUT ${path}`, { body: crowd(), headers: { 'if-match': '"1"' } });
  assert.deepEqual([late.status, late.json.currentVersion], [412, 2]);

  const versions = await api.ask(`GET ${path}/versions`);
  const [newest, oldest] = versions.json.items as Record<string, unknown>[];
  assert.deepEqual([newest?.version, newest?.reason, newest?.author], [2, 'digits', 'anonymous']);
  assert.deepEqual(oldest?.rule, OVER_18);
  const diff = await api.ask(`GET ${path}/diff?from=1&to=2`);
  assert.deepEqual(diff.json.fields, []);
  const [change] = diff.json.rule as Record<string, unknown>[];
  assert.deepEqual([change?.change, change?.pointer, change?.from], ['changed', '', OVER_18]);
  assert.ok(diff.text.includes('0.1000000000000000000000000000000000001'));

  const unseen = await api.ask(`POST ${path}/roll-back`, { body: { version: 1 } });
  assert.equal(unseen.status, 428);
  const back = await api.ask(`POST ${path}/roll-back`, {
    body: { version: 1 },
    headers: { 'if-match': '"2"' },
  });
  assert.deepEqual([back.status, back.headers.etag, back.json.rule], [200, '"3"', OVER_18]);
  assert.equal((await api.ask(`GET ${path}/versions/3`)).json.restoredVersion, 1);
  assert.equal((await api.ask(`GET ${path}/versions/9`)).status, 404);
  const none = await api.ask(`POST ${path}/roll-back`, {
    body: { version: 9 },
    headers: { 'if-match': '"3"' },
  });
  assert.equal(none.status, 404);

  assert.equal((await api.ask(`POST ${path}/pause`)).json.status, 'paused');
  assert.equal((await api.ask('GET /crowds?status=active')).json.next, null);
  assert.deepEqual((await api.ask('GET /crowds?status=active')).json.items, []);
  assert.equal((await api.ask(`POST ${path}/resume`)).json.status, 'active');
  assert.equal((await api.ask(`DELETE ${path}`)).status, 428);
  assert.equal((await api.ask(`DELETE ${path}`, { headers: { 'if-match': '"3"' } })).status, 204);
  assert.equal((await api.ask(`DELETE ${path}`, { headers: { 'if-match': '"3"' } })).status, 404);
  const audit = await api.ask('GET /audit?subjectKind=crowd&subjectKey=adults');
  assert.deepEqual(
    (audit.json.items as { action: string }[]).map(({ action }) => action),
    ['crowd.delete', 'crowd.resume', 'crowd.pause', 'crowd.roll_back', 'crowd.save', 'crowd.save'],
  );
});

test('a rule with errors: all diagnostics inside the problem', async () => {
  const rule = {
    logic: 'AND',
    conditions: [
      { tag_code: 'nope', op: '=', value: 1 },
      { ...OVER_18, op: '≥' },
    ],
  };
  const refused = await api.ask('PUT /crowds/broken', { body: crowd(rule) });
  assert.deepEqual([refused.status, codes(refused)], [422, ['unknown_tag', 'unknown_operator']]);
  assert.equal(refused.headers['content-type'], 'application/problem+json');
  const twice = await api.ask('PUT /crowds/broken', { text: '{"crowdName":"x","crowdName":"y","rule":{}}' });
  assert.equal(twice.status, 400);
  const within = '{"crowdName":"x","rule":{"tag_code":"nope","op":"=","op":">","value":null}}';
  const twiceInRule = await api.ask('PUT /crowds/broken', { text: within });
  assert.equal(twiceInRule.status, 422);
  assert.ok(codes(twiceInRule).includes('unknown_tag'));
  const diagnostics = twiceInRule.json.diagnostics as { code: string; pointer: string }[];
  assert.equal(diagnostics.find(({ code }) => code === 'duplicate_key')?.pointer, '/op');
  const preview = await api.ask('POST /rules/preview', { body: { rule } });
  assert.deepEqual([preview.status, codes(preview)], [422, ['unknown_tag', 'unknown_operator']]);
});

test('a schedule that is none is refused', async () => {
  const scheduled = (scheduleCron: string) =>
    api.ask('PUT /crowds/scheduled', { body: crowd(OVER_18, { scheduleCron }) });
  const refused = await scheduled('0 0 25 * * ?');
  assert.deepEqual([refused.status, refused.json.code], [400, 'bad_request']);
  assert.equal((await scheduled('0 0 2 * * ?')).json.scheduleCron, '0 0 2 * * ?');
});

test('what others need stays, with the list of who needs it', async () => {
  await api.ask('PUT /crowds/base', { body: crowd() });
  await api.ask('PUT /crowds/derived', { body: crowd({ crowd_code: 'base', op: 'NOT IN CROWD' }) });
  const tag = await api.ask('DELETE /tags/age');
  assert.deepEqual(
    [tag.status, tag.json.usedBy],
    [
      409,
      [
        { kind: 'crowd', code: 'base' },
        { kind: 'crowd', code: 'scheduled' },
      ],
    ],
  );
  const base = await api.ask('DELETE /crowds/base', { headers: { 'if-match': '"1"' } });
  assert.deepEqual([base.status, base.json.usedBy], [409, [{ kind: 'crowd', code: 'derived' }]]);
  const cycle = await api.ask('PUT /crowds/base', {
    body: crowd({ crowd_code: 'derived', op: 'IN CROWD' }),
    headers: { 'if-match': '"1"' },
  });
  assert.deepEqual([cycle.status, codes(cycle)], [422, ['crowd_cycle']]);
  const retyped = await api.ask('PUT /tags/age', { body: { tagName: 'Age', tagType: 'boolean' } });
  assert.equal(retyped.status, 409);
  assert.deepEqual(
    (retyped.json.broken as { crowdCode: string }[]).map((each) => each.crowdCode),
    ['base', 'derived', 'scheduled'],
  );
});

test('lists of 100,000 values fit; a body over the limit is 413', async () => {
  const value = Array.from({ length: 100_000 }, (_, index) => index * 1_000_003);
  const saved = await api.ask('PUT /crowds/long_list', { body: crowd({ tag_code: 'age', op: 'IN', value }) });
  assert.equal(saved.status, 201);
  const text = `{"crowdName":"x","rule":{"tag_code":"${'a'.repeat(17_000_000)}"}}`;
  const huge = await api.app.inject({
    method: 'PUT',
    url: '/crowds/huge',
    payload: text,
    headers: { 'content-type': 'application/json' },
  });
  assert.deepEqual([huge.statusCode, (huge.json() as { code: string }).code], [413, 'too_large']);
});
