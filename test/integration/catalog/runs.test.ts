import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Catalog } from '../../../catalog/catalog.js';
import type { CrowdRun, UserOrigin } from '../../../catalog/types.js';
import { createTestCatalog, crowdDefinition, OVER_18, tagDefinition } from '../../support/catalog.js';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.js';

let server: TestPostgres;
let catalog: Catalog;
before(async () => {
  server = await startTestPostgres();
});
after(async () => {
  await catalog.close();
  await server.stop();
});
beforeEach(async () => {
  await catalog?.close();
  ({ catalog } = await createTestCatalog(server));
  await catalog.tags.save(tagDefinition('age'), { principal: 'ann', expected: 'absent' });
  for (const code of ['a', 'b']) {
    await catalog.crowds.save(code, crowdDefinition(OVER_18), { principal: 'ann', expected: 'absent' });
  }
});

const order = (dt: string, ...crowdCodes: string[]) => ({
  crowdCodes,
  dt,
  origin: 'real' as UserOrigin,
  cause: 'manual' as const,
  requestedBy: 'ann',
  maxUnfinished: 4,
});
const at = (nowMs: number) => ({ nowMs, renewBeforeMs: 0 });
const COUNTS = { entered: 5, left: 1, total: 9 };

test('a run keeps its rule version and change time when it is begun again, and commits the crowd’s counts', async () => {
  const [run] = await catalog.runs.request({
    ...order('1998-06-30', 'a'),
    export: { format: 'csv', folder: '/tmp/out' },
  });
  assert.ok(run);
  assert.deepEqual(
    [run.status, run.ruleVersion, run.export],
    ['queued', 1, { format: 'csv', folder: '/tmp/out' }],
  );
  await catalog.crowds.save('a', crowdDefinition({ ...OVER_18, value: 30 }), {
    principal: 'ann',
    expected: 1,
  });
  const begun = await catalog.runs.begin(run.runId, at(1_000));
  assert.deepEqual([begun.status, begun.changeTimeMs, begun.updatesStore], ['running', 1_000, true]);
  await catalog.runs.reachStep(run.runId, 'scan', { done: 1, total: 3 });
  const repeated = await catalog.runs.begin(run.runId, at(2_000));
  assert.deepEqual([repeated.changeTimeMs, repeated.ruleVersion, repeated.progress?.done], [1_000, 1, 1]);
  assert.deepEqual(repeated.startedAt, begun.startedAt);
  const renewed = await catalog.runs.begin(run.runId, { nowMs: 3_000, renewBeforeMs: 1_001 });
  assert.equal(renewed.changeTimeMs, 3_000);
  await catalog.runs.commit(run.runId, COUNTS);
  const committed = await catalog.runs.commit(run.runId, { entered: 0, left: 0, total: 0 });
  assert.deepEqual([committed.status, committed.counts], ['committed', COUNTS]);
  const crowd = await catalog.crowds.get('a');
  assert.deepEqual([crowd.userCount, crowd.lastCalcDt], [9, '1998-06-30']);
  assert.equal((await catalog.runs.lastCommitted('a'))?.runId, run.runId);
  assert.equal(await catalog.runs.lastCommitted('b'), null);
  await assert.rejects(catalog.runs.begin(run.runId, at(4_000)), { code: 'conflict' });
});

test('change times of a crowd only grow, whatever the clock does', async () => {
  const times: (number | null)[] = [];
  for (const nowMs of [5_000, 5_000, 4_000, 6_000]) {
    const [run] = await catalog.runs.request(order('1998-06-30', 'a'));
    assert.ok(run);
    times.push((await catalog.runs.begin(run.runId, at(nowMs))).changeTimeMs);
  }
  assert.deepEqual(times, [5_000, 5_001, 5_002, 6_000]);
});

test('a run for an older dt than the last committed touches neither store nor counts', async () => {
  const [newer] = await catalog.runs.request(order('1998-06-30', 'a'));
  const [older] = await catalog.runs.request(order('1998-06-29', 'a'));
  assert.ok(newer && older);
  await catalog.runs.begin(newer.runId, at(1));
  await catalog.runs.commit(newer.runId, COUNTS);
  assert.equal((await catalog.runs.begin(older.runId, at(2))).updatesStore, false);
  await catalog.runs.commit(older.runId, { entered: 0, left: 0, total: 2 });
  const crowd = await catalog.crowds.get('a');
  assert.deepEqual([crowd.userCount, crowd.lastCalcDt], [9, '1998-06-30']);
  assert.equal((await catalog.runs.lastCommitted('a'))?.runId, newer.runId);
});

test('real users outrank synthetic ones, whatever the dt; among the same, the newer dt outranks', async () => {
  const run = async (origin: UserOrigin, dt: string) => {
    const [requested] = await catalog.runs.request({ ...order(dt, 'a'), origin });
    assert.ok(requested);
    const { updatesStore } = await catalog.runs.begin(requested.runId, at(1));
    await catalog.runs.commit(requested.runId, COUNTS);
    const { lastCalcDt, lastCalcOrigin } = await catalog.crowds.get('a');
    return [updatesStore, lastCalcDt, lastCalcOrigin];
  };
  assert.deepEqual(await run('synthetic', '2026-01-31'), [true, '2026-01-31', 'synthetic']);
  assert.deepEqual(await run('synthetic', '2026-01-30'), [false, '2026-01-31', 'synthetic']);
  assert.deepEqual(await run('synthetic', '2026-02-28'), [true, '2026-02-28', 'synthetic']);
  assert.deepEqual(await run('real', '1998-06-30'), [true, '1998-06-30', 'real']);
  assert.deepEqual(await run('synthetic', '2026-02-28'), [false, '1998-06-30', 'real']);
  assert.deepEqual(await run('real', '1998-06-29'), [false, '1998-06-30', 'real']);
  assert.deepEqual(await run('real', '1998-07-01'), [true, '1998-07-01', 'real']);
});

test('batches, failures, bounds and what is unfinished', async () => {
  const batch = await catalog.runs.request(order('1998-06-30', 'b', 'a'));
  assert.deepEqual(
    batch.map((run) => run.crowdCode),
    ['b', 'a'],
  );
  assert.equal(new Set(batch.map((run) => run.batchId)).size, 1);
  const [first, second] = batch;
  assert.ok(first && second);
  assert.deepEqual(
    (await catalog.runs.unfinished()).map((run) => run.runId),
    [first.runId, second.runId],
  );
  await catalog.runs.fail(first.runId, 'No disk.');
  assert.deepEqual((await catalog.runs.get(first.runId)).error, 'No disk.');
  assert.deepEqual(
    (await catalog.runs.unfinished()).map((run) => run.runId),
    [second.runId],
  );
  await catalog.runs.request(order('1998-06-30', 'a', 'b'));
  await assert.rejects(catalog.runs.request(order('1998-06-30', 'a', 'b')), { code: 'overloaded' });
  await assert.rejects(catalog.runs.request(order('1998-06-30', 'nope')), { code: 'not_found' });
  await catalog.crowds.setStatus('a', 'paused', 'ann');
  await assert.rejects(catalog.runs.request(order('1998-06-30', 'a')), { code: 'conflict' });
  const failed = await catalog.runs.list({ limit: 10, after: null }, { status: 'failed' });
  assert.deepEqual(
    failed.items.map((run) => run.runId),
    [first.runId],
  );
});

test('loads are journalled, and quality reports kept', async () => {
  const order = { kind: 'synthetic' as const, request: { count: 5 }, requestedBy: 'ann', maxUnfinished: 1 };
  const load = await catalog.loads.request(order);
  await assert.rejects(catalog.loads.request(order), { code: 'overloaded' });
  await catalog.loads.begin(load.loadId);
  assert.equal((await catalog.loads.unfinished())[0]?.status, 'running');
  const result = {
    dt: '1998-06-30',
    tableName: 'dws.user_profile_wide',
    columnName: 'city',
    checkName: 'city is mostly known',
    checkKind: 'null_rate' as const,
    status: 'failed' as const,
    observed: '0.12345678901234567890',
    lowerBound: null,
    upperBound: '0.1',
    rowsChecked: 10,
    rowsFailed: 2,
    detail: null,
  };
  await catalog.loads.finish(load.loadId, { dt: '1998-06-30' }, [result]);
  const done = await catalog.loads.get(load.loadId);
  assert.deepEqual([done.status, done.result, done.request], ['done', { dt: '1998-06-30' }, { count: 5 }]);
  // Done already: nothing is written twice.
  await catalog.loads.finish(load.loadId, { dt: '1998-06-30' }, [result]);

  const { items } = await catalog.qualityReports.list({ limit: 5, after: null }, { dt: '1998-06-30' });
  const [report] = items;
  assert.ok(report && items.length === 1);
  const { reportId: _id, createdAt: _at, ...kept } = report;
  assert.deepEqual(kept, result);
});

const by = <E extends number | 'absent'>(expected: E) => ({ principal: 'ann', expected, maxUnfinished: 4 });
const again = () => catalog.crowds.save('a', crowdDefinition(OVER_18), by('absent'));

/** A committed run of the crowd `a`. */
async function compute(dt: string, nowMs: number): Promise<CrowdRun> {
  const [run] = await catalog.runs.request(order(dt, 'a'));
  assert.ok(run);
  await catalog.runs.begin(run.runId, at(nowMs));
  return catalog.runs.commit(run.runId, COUNTS);
}

test('a computed crowd is deleted with a run to empty it, and its code waits for that', async () => {
  await compute('1998-06-30', 5_000);
  const deletion = await catalog.crowds.delete('a', by(1));
  assert.ok(deletion);
  assert.deepEqual(
    [deletion.status, deletion.cause, deletion.dt, deletion.ruleVersion, deletion.requestedBy],
    ['queued', 'deletion', null, 1, 'ann'],
  );
  const { runId } = deletion;
  assert.deepEqual(await catalog.runs.unfinished(), [deletion]);
  const audit = await catalog.audit.list({ limit: 1, after: null }, { subjectKey: String(runId) });
  assert.equal(audit.items[0]?.after?.cause, 'deletion');
  const waits = {
    code: 'conflict',
    message: new RegExp(`'a' was deleted, and run ${runId} is still`),
    extra: { usedBy: [{ kind: 'run', code: String(runId) }] },
  };
  await assert.rejects(again(), waits);

  const begun = await catalog.runs.begin(runId, at(1_000));
  assert.deepEqual([begun.changeTimeMs, begun.updatesStore], [5_001, true]);
  await assert.rejects(again(), waits);
  assert.equal(await catalog.runs.fail(runId, 'No disk.'), false);
  const queued = await catalog.runs.get(runId);
  assert.deepEqual([queued.status, queued.error, queued.finishedAt], ['queued', 'No disk.', null]);
  await assert.rejects(again(), waits);
  const repeated = await catalog.runs.begin(runId, at(9_000));
  assert.deepEqual([repeated.changeTimeMs, repeated.error], [5_001, null]);
  await catalog.runs.commit(runId, { entered: 0, left: 9, total: 0 });
  assert.equal(await catalog.runs.fail(runId, 'Too late.'), true);
  assert.equal((await catalog.runs.get(runId)).status, 'committed');

  const { crowd, isNew } = await again();
  assert.deepEqual([isNew, crowd.version, crowd.userCount, crowd.lastCalcDt], [true, 2, 0, null]);
  // What the earlier crowd was computed for does not count.
  const older = await compute('1998-06-01', 2_000);
  assert.deepEqual([older.updatesStore, older.changeTimeMs], [true, 5_002]);
  assert.equal((await catalog.crowds.get('a')).lastCalcDt, '1998-06-01');
  const oldest = await compute('1998-05-31', 2_000);
  assert.equal(oldest.updatesStore, false);
});

test('a crowd that was never computed, or not since its code was emptied, is deleted at once', async () => {
  const [run] = await catalog.runs.request(order('1998-06-30', 'a'));
  assert.equal(await catalog.runs.fail(run?.runId ?? 0, 'No disk.'), true);
  assert.equal(await catalog.crowds.delete('a', by(1)), null);
  await again();
  await compute('1998-06-30', 1_000);
  const deletion = await catalog.crowds.delete('a', by(2));
  await catalog.runs.begin(deletion?.runId ?? 0, at(2_000));
  await catalog.runs.commit(deletion?.runId ?? 0, COUNTS);
  await again();
  assert.equal(await catalog.crowds.delete('a', by(3)), null);
  assert.deepEqual(await catalog.runs.unfinished(), []);
});

test('a deletion is refused where too many runs are unfinished, and changes nothing then', async () => {
  await compute('1998-06-30', 1_000);
  for (let i = 0; i < 4; i += 1) await catalog.runs.request(order('1998-06-30', 'b'));
  await assert.rejects(catalog.crowds.delete('a', by(1)), { code: 'overloaded' });
  assert.equal((await catalog.crowds.get('a')).version, 1);
});
