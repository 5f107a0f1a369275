import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLoadRunner } from '../../../platform/api/loads/load-runner.js';
import { DEMO_TAGS } from '../../../platform/demo/tags.js';
import { PROFILE_COLUMNS } from '../../../platform/warehouse/user-profiles.js';
import { openPlatformApi, type PlatformApi } from '../../support/platform-api.js';
import { findFreePort, startTestPostgres, type TestPostgres } from '../../support/postgres.js';
import { storeMembers } from '../../support/run-platform.js';

const DT = '1998-06-30';
let server: TestPostgres;
let api: PlatformApi;
let url: string;
before(async () => {
  server = await startTestPostgres();
  api = await openPlatformApi(server);
  const port = await findFreePort();
  url = await api.app.listen({ host: '127.0.0.1', port });
  for (const tag of DEMO_TAGS)
    await api.platform.catalog.tags.save(tag, { principal: 't', expected: 'absent' });
});
after(async () => {
  await api.close();
  await server.stop();
});

/** A purchases file: a header line, then fixed columns (customer, date, CDs, dollars). */
const purchases = [
  'CUSTOMER_ID DATE NUMBER_OF_CDS DOLLAR_VALUE',
  ' 00001 19980601  1   11.77',
  ' 00002 19980612  5  620.00',
  ' 00003 19970101  2   20.00',
];

async function ended(location: unknown): Promise<Record<string, unknown>> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { json } = await api.ask(`GET ${String(location)}`);
    if (['done', 'failed', 'committed'].includes(String(json.status))) return json;
    assert.ok(Date.now() < deadline, `still ${String(json.status)}`);
    await sleep(20);
  }
}

function cdnow(): string {
  const whole = readFileSync(
    path.resolve(import.meta.dirname, '../../../../data/cdnow_master.txt'),
    'latin1',
  );
  return whole.split('\n').slice(0, 2_000).join('\n');
}

test('before the first load there is no partition to preview, explain or run', async () => {
  const rule = { tag_code: 'total_spent', op: '>=', value: 500 };
  assert.equal((await api.ask('POST /rules/preview', { body: { rule } })).status, 404);
  await api.ask('PUT /crowds/premium', { body: { crowdName: 'Premium', rule } });
  assert.equal((await api.ask('POST /crowds/premium/runs')).status, 404);
  assert.equal((await api.ask('GET /explain?uid=00001&crowdCode=premium')).status, 404);
});

test('a file is streamed in, loaded, and its spooled copy removed', async () => {
  const sent = await fetch(`${url}/loads/purchases?fileName=cdnow.txt&dt=${DT}`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: new Blob([cdnow()]).stream(),
    duplex: 'half',
  } as RequestInit);
  assert.equal(sent.status, 202);
  await sent.arrayBuffer();
  const load = await ended(sent.headers.get('location'));
  assert.equal(load.status, 'done', String(load.error));
  assert.deepEqual(load.request, { fileName: 'cdnow.txt', dt: DT });
  assert.equal((load.result as { dt: string }).dt, DT);
  await api.loads.whenIdle();
  assert.deepEqual(readdirSync(path.join(api.folder, 'spool')), []);
  const listed = await api.ask('GET /loads');
  assert.equal((listed.json.items as unknown[]).length, 1);
});

test('a load for an earlier date names the later ones that were built without it', async () => {
  const loadFor = async (dt: string) => {
    const { headers } = await api.ask(`POST /loads/purchases?fileName=late.txt&dt=${dt}`, {
      text: cdnow().split('\n').slice(0, 3).join('\n'),
      headers: { 'content-type': 'text/plain' },
    });
    const load = await ended(headers.location);
    assert.equal(load.status, 'done', String(load.error));
    return (load.result as { outdated: string[] }).outdated;
  };
  assert.deepEqual(await loadFor('1998-06-29'), [DT]);
  assert.deepEqual(await loadFor(DT), []);
});

test('a file that is none fails with a sentence, and names with paths are refused', async () => {
  const sent = await api.ask('POST /loads/purchases?fileName=x.txt', {
    text: 'hello',
    headers: { 'content-type': 'text/csv' },
  });
  const load = await ended(sent.headers.location);
  assert.equal(load.status, 'failed');
  assert.match(String(load.error), /\w+/);
  const answer = await api.ask('POST /loads/purchases?fileName=..%2Fx', {
    text: purchases.join('\n'),
    headers: { 'content-type': 'text/plain' },
  });
  assert.equal(answer.status, 400);
});

test('an upload that breaks off leaves nothing behind', async () => {
  const before = ((await api.ask('GET /loads')).json.items as unknown[]).length;
  const spool = path.join(api.folder, 'spool');
  const upload = request(`${url}/loads/purchases?fileName=cut.txt`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
  });
  upload.on('error', () => undefined);
  upload.write(`${purchases.join('\n')}\n`);
  while (readdirSync(spool).length === 0) await sleep(10);
  upload.destroy();
  const deadline = Date.now() + 5_000;
  while (readdirSync(spool).length > 0 && Date.now() < deadline) await sleep(20);
  assert.deepEqual(readdirSync(spool), []);
  assert.equal(((await api.ask('GET /loads')).json.items as unknown[]).length, before);
});

test('a rule of as many conditions as there may be is previewed', async () => {
  const group = (i: number) => ({
    logic: 'AND',
    conditions: [
      { tag_code: 'total_spent', op: '>', value: i },
      { tag_code: 'purchase_count', op: '=', value: i % 50 },
    ],
  });
  const sizeOf = async (groups: number) => {
    const rule = { logic: 'OR', conditions: Array.from({ length: groups }, (_, i) => group(i)) };
    const { status, text, json } = await api.ask('POST /rules/preview', { body: { rule } });
    assert.equal(status, 200, text.slice(0, 500));
    return Number(json.userCount);
  };
  const size = await sizeOf(5_000);
  assert.ok(size > 0);
  // Whatever a later group lets in, the first one of the same count does.
  assert.equal(size, await sizeOf(50));
});

test('preview, run and explain agree', async () => {
  const rule = { tag_code: 'total_spent', op: '>=', value: 500 };
  const preview = await api.ask('POST /rules/preview', { body: { rule, sampleSize: 5 } });
  assert.equal(preview.status, 200);
  assert.equal(preview.json.dt, DT);
  const size = Number(preview.json.userCount);
  assert.ok(size > 0);
  const started = await api.ask('POST /crowds/premium/runs', { body: { export: { format: 'csv' } } });
  assert.deepEqual([started.status, started.json.dt, started.json.crowdCode], [202, DT, 'premium']);
  const run = await ended(started.headers.location);
  assert.equal(run.status, 'committed', String(run.error));
  assert.deepEqual(run.counts, { entered: size, left: 0, total: size });
  assert.ok(Number(run.durationMs) >= 0);
  const crowd = await api.ask('GET /crowds/premium');
  assert.deepEqual([crowd.json.userCount, crowd.json.lastCalcDt], [size, DT]);
  const members = await storeMembers(api.platform.store, 'premium');
  assert.equal(members.length, size);
  const [member] = preview.json.sampleUids as string[];
  assert.ok(member !== undefined && members.includes(member));
  const why = await api.ask(`GET /explain?uid=${member}&crowdCode=premium`);
  assert.equal(why.json.isMatch, true);
  const leaf = why.json.explanation as Record<string, unknown>;
  assert.deepEqual([leaf.tagCode, leaf.column, leaf.truth], ['total_spent', 'total_spent', true]);
  assert.ok(Number(leaf.value) >= 500);
  assert.equal((await api.ask('GET /explain?uid=nobody&crowdCode=premium')).status, 404);
  assert.equal((await api.ask('GET /explain?uid=00001&crowdCode=nope')).status, 404);
  assert.ok(readdirSync(path.join(api.folder, 'exports')).length > 0);
});

test('a tag is held against the wide table when it is saved, and when a rule on it is previewed or explained', async () => {
  const number = { tagName: 'n', tagType: 'numeric', sourceField: 'uid', sourceType: 'INTEGER' };
  const refused = await api.ask('PUT /tags/uid_number', { body: number });
  assert.equal(refused.status, 422);
  const [diagnostic] = refused.json.diagnostics as Record<string, unknown>[];
  assert.deepEqual([diagnostic?.code, diagnostic?.pointer], ['invalid_tag', '/sourceType']);
  assert.equal(
    diagnostic?.message,
    'The tag uid_number is declared as INTEGER, and its column uid in dws.user_profile_wide is VARCHAR.',
  );
  const text = { tagName: 't', tagType: 'enum', sourceField: 'uid', sourceType: 'VARCHAR(512)' };
  assert.equal((await api.ask('PUT /tags/uid_text', { body: text })).status, 201);
  const first = { tag_code: 'uid_text', op: '=', value: '00004' };
  assert.equal((await api.ask('POST /rules/preview', { body: { rule: first } })).json.userCount, 1);
  await api.ask('PUT /crowds/first', { body: { crowdName: 'First', rule: first } });
  assert.equal((await api.ask('GET /explain?uid=00004&crowdCode=first')).json.isMatch, true);
  assert.equal((await api.ask('DELETE /crowds/first', { headers: { 'if-match': '"1"' } })).status, 204);

  // What lies elsewhere may have the type it has there, and rules on it may be saved: they are not for offline runs.
  const online = { ...number, sourceField: null, calculationType: 'realtime' };
  assert.equal((await api.ask('PUT /tags/clicks', { body: online })).status, 201);
  const rule = { tag_code: 'clicks', op: '>', value: 3 };
  assert.equal((await api.ask('PUT /crowds/clickers', { body: { crowdName: 'C', rule } })).status, 201);
  const preview = await api.ask('POST /rules/preview', { body: { rule } });
  const explained = await api.ask('GET /explain?uid=00004&crowdCode=clickers');
  for (const answer of [preview, explained]) {
    assert.deepEqual([answer.status, answer.json.code], [422, 'invalid_rule']);
    assert.match(String(answer.json.detail), /^The tag clicks is computed in real time/);
  }
  assert.equal((await api.ask('DELETE /crowds/clickers', { headers: { 'if-match': '"1"' } })).status, 204);
});

test('several crowds run in one batch; a paused one is refused', async () => {
  await api.ask('PUT /crowds/once', {
    body: { crowdName: 'Once', rule: { tag_code: 'purchase_count', op: '=', value: 1 } },
  });
  const started = await api.ask('POST /runs', { body: {} });
  assert.equal(started.status, 202);
  const runs = started.json.runs as { runId: number; batchId: string }[];
  assert.equal(runs.length, 2);
  for (const { runId } of runs) assert.equal((await ended(`/runs/${runId}`)).status, 'committed');
  const batch = await api.ask(`GET ${String(started.headers.location)}`);
  assert.equal((batch.json.items as unknown[]).length, 2);
  await api.ask('POST /crowds/once/pause');
  const paused = await api.ask('POST /crowds/once/runs');
  assert.deepEqual([paused.status, paused.json.crowdCodes], [409, ['once']]);
  assert.equal((await api.ask('POST /crowds/nope/runs')).status, 404);
  assert.equal((await api.ask('POST /runs', { body: { dt: '1998-02-30' } })).status, 400);
  const relative = { export: { format: 'csv', folder: 'here' } };
  const within = await api.ask('POST /crowds/premium/runs', { body: relative });
  assert.equal((await ended(within.headers.location)).status, 'committed');
  assert.deepEqual(readdirSync(path.join(api.folder, 'exports', 'here')), [`premium_${DT}.csv`]);
  const file = path.join(api.folder, 'no-folder');
  writeFileSync(file, '');
  // Under /proc no folder can be made, and the obvious way to make one never returns there.
  for (const folder of ['/proc/nowhere/exports', file, path.join(file, 'exports')]) {
    const impossible = await api.ask('POST /crowds/premium/runs', {
      body: { export: { format: 'csv', folder } },
    });
    assert.equal(impossible.status, 400, folder);
    assert.ok(String(impossible.json.detail).includes(folder), folder);
  }
});

test('a load tells the quality of its data: lines, bad ones, users and unknown values', async () => {
  const bad = [...purchases, ' 00004 19980231  1   11.77', 'nonsense'];
  const header = ' customer_id  date number_of_cds  dollar_value ';
  const sent = await fetch(`${url}/loads/purchases?fileName=bad.txt&dt=1997-12-31`, {
    method: 'POST',
    headers: { 'content-type': 'text/plain' },
    body: [header, ...bad.slice(1)].join('\n'),
  });
  await sent.arrayBuffer();
  const load = await ended(sent.headers.get('location'));
  assert.equal(load.status, 'done', String(load.error));
  assert.equal('quality' in (load.result as object), false);
  const { users } = load.result as { users: number };

  const list = async (query: string) => {
    const answer = await api.ask(`GET /quality-reports?${query}`);
    assert.equal(answer.status, 200);
    return (answer.json.items as Record<string, unknown>[]).map(
      ({ checkName, columnName, status, observed, upperBound, rowsChecked, rowsFailed, detail }) =>
        [checkName, columnName, status, observed, upperBound, rowsChecked, rowsFailed, detail] as const,
    );
  };
  assert.deepEqual(await list('dt=1997-12-31&tableName=ods.purchases'), [
    ['bad_lines', null, 'warning', '2', '0', 5, 2, 'bad.txt, width: 1, date: 1'],
    ['lines', null, 'passed', '5', null, 5, 0, 'bad.txt'],
  ]);
  const wide = await list('dt=1997-12-31&tableName=dws.user_profile_wide&limit=100');
  assert.equal(wide.length, Object.keys(PROFILE_COLUMNS).length);
  const of = (column: string | null) => wide.find(([, columnName]) => columnName === column);
  assert.deepEqual(of(null), ['users', null, 'passed', String(users), null, users, 0, null]);
  assert.deepEqual(of('city'), ['unknown', 'city', 'passed', '1.000000', null, users, users, null]);
  assert.deepEqual(of('total_spent'), ['unknown', 'total_spent', 'passed', '0.000000', '0', users, 0, null]);
  assert.equal((await list('dt=1998-08-01')).length, 0);
  assert.equal((await api.ask('GET /quality-reports?dt=1998-02-30')).status, 400);
  const first = await api.ask('GET /quality-reports?limit=1&dt=1997-12-31');
  assert.equal(typeof first.json.next, 'string');
});

test('synthetic users: made, and refused over real ones', async () => {
  const order = { count: 1_000, seed: 7 };
  const over = await api.ask('POST /loads/synthetic', { body: { ...order, dt: DT } });
  assert.equal((await ended(over.headers.location)).status, 'failed');
  const made = await api.ask('POST /loads/synthetic', { body: { ...order, dt: '2026-01-31' } });
  const load = await ended(made.headers.location);
  assert.deepEqual([load.status, load.request], ['done', { ...order, dt: '2026-01-31' }]);
  const quality = await api.ask('GET /quality-reports?dt=2026-01-31&limit=100');
  const labels = (quality.json.items as { detail: string }[]).map(({ detail }) => detail);
  assert.deepEqual(new Set(labels), new Set(['synthetic users']));
  assert.equal((load.result as { origin: string }).origin, 'synthetic');

  // They are said to be synthetic wherever they are asked about, and are asked about only where they are named.
  const rule = { tag_code: 'total_spent', op: '>=', value: 500 };
  const unnamed = await api.ask('POST /rules/preview', { body: { rule } });
  assert.deepEqual([unnamed.json.dt, unnamed.json.origin], [DT, 'real']);
  const named = await api.ask('POST /rules/preview', { body: { rule, dt: '2026-01-31' } });
  assert.deepEqual([named.json.dt, named.json.origin], ['2026-01-31', 'synthetic']);
  const why = await api.ask('GET /explain?uid=syn_00000001&crowdCode=premium&dt=2026-01-31');
  assert.equal(why.json.origin, 'synthetic');
  const before = await storeMembers(api.platform.store, 'premium');
  const started = await api.ask('POST /crowds/premium/runs', { body: { dt: '2026-01-31' } });
  const run = await ended(started.headers.location);
  assert.deepEqual([run.status, run.origin, run.updatesStore], ['committed', 'synthetic', false]);
  assert.equal((run.counts as { total: number }).total, named.json.userCount);
  assert.deepEqual(await storeMembers(api.platform.store, 'premium'), before);
  const crowd = await api.ask('GET /crowds/premium');
  assert.deepEqual([crowd.json.lastCalcDt, crowd.json.lastCalcOrigin], [DT, 'real']);
  const next = await api.ask('POST /crowds/premium/runs');
  assert.deepEqual([next.json.dt, next.json.origin], [DT, 'real']);
  await ended(next.headers.location);
  assert.equal((await api.ask('POST /loads/synthetic', { body: { count: 0, seed: 1 } })).status, 400);
  assert.equal((await api.ask('POST /loads/synthetic', { body: { count: '5', seed: 1 } })).status, 400);
});

test('a computed crowd is deleted: the reply is the run to follow, for which its code waits', async () => {
  const { catalog, runs, store } = api.platform;
  assert.ok((await storeMembers(store, 'once')).length > 0);
  const deleted = await api.ask('DELETE /crowds/once', { headers: { 'if-match': '"1"' } });
  assert.deepEqual(
    [deleted.status, deleted.json.cause, deleted.json.dt, deleted.json.crowdCode],
    [202, 'deletion', null, 'once'],
  );
  assert.equal(deleted.headers.location, `/runs/${deleted.json.runId}`);
  const run = await ended(deleted.headers.location);
  assert.deepEqual([run.status, (run.counts as { total: number }).total], ['committed', 0]);
  assert.deepEqual(await storeMembers(store, 'once'), []);
  assert.equal((await api.ask('GET /crowds/once')).status, 404);

  // One that is recorded and not yet executed.
  const left = await catalog.crowds.delete('premium', { principal: 't', expected: 1, maxUnfinished: 10 });
  const body = { crowdName: 'Other', rule: { tag_code: 'total_spent', op: '<', value: 0 } };
  const refused = await api.ask('PUT /crowds/premium', { body });
  assert.deepEqual(
    [refused.status, refused.json.usedBy],
    [409, [{ kind: 'run', code: String(left?.runId) }]],
  );
  await runs.resume();
  await ended(`/runs/${left?.runId}`);
  const again = await api.ask('PUT /crowds/premium', { body });
  assert.deepEqual([again.status, again.json.version, again.json.userCount], [201, 2, 0]);
  assert.deepEqual(await storeMembers(store, 'premium'), []);
  // Not computed since.
  assert.equal((await api.ask('DELETE /crowds/premium', { headers: { 'if-match': '"2"' } })).status, 204);
});

test('a load that was accepted before a crash is done after it; strays are removed', async () => {
  const { catalog, warehouse } = api.platform;
  const load = await catalog.loads.request({
    kind: 'synthetic',
    request: { count: 10, seed: 1, dt: '2026-02-28' },
    requestedBy: 't',
    maxUnfinished: 99,
  });
  await catalog.loads.begin(load.loadId);
  const spoolFolder = path.join(api.folder, 'other-spool');
  const first = await startLoadRunner({
    catalog,
    warehouse,
    spoolFolder,
    onError: (error) => assert.fail(String(error)),
  });
  await first.whenIdle();
  assert.equal((await catalog.loads.get(load.loadId)).status, 'done');
  await first.close();
  const stray = path.join(spoolFolder, 'stray.purchases');

  writeFileSync(stray, 'x');
  const second = await startLoadRunner({
    catalog,
    warehouse,
    spoolFolder,
    onError: (error) => assert.fail(String(error)),
  });
  assert.equal(existsSync(stray), false);
  await second.close();
});
