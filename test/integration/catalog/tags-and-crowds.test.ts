import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import type { Catalog } from '../../../catalog/catalog.js';
import type { PostgresConnection } from '../../../catalog/embedded-postgres.js';
import type { ErrorCode } from '../../../errors/error-codes.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import {
  createTestCatalog,
  crowdDefinition,
  inCrowd,
  OVER_18,
  tagDefinition,
} from '../../support/catalog.js';
import { query, startTestPostgres, type TestPostgres } from '../../support/postgres.js';

let server: TestPostgres;
let catalog: Catalog;
let connection: PostgresConnection;
before(async () => {
  server = await startTestPostgres();
});
after(async () => {
  await catalog.close();
  await server.stop();
});
beforeEach(async () => {
  await catalog?.close();
  ({ catalog, connection } = await createTestCatalog(server));
  await catalog.tags.save(tagDefinition('age'), { principal: 'ann', expected: 'absent' });
});

const ALL = { limit: 100, after: null };
const fails = (code: ErrorCode, check: (extra: QuanrenError['extra']) => void = () => undefined) => {
  return (error: unknown) => {
    assert.ok(error instanceof QuanrenError, String(error));
    assert.equal(error.code, code, error.message);
    check(error.extra);
    return true;
  };
};
const create = (crowdCode: string, rule: unknown) =>
  catalog.crowds.save(crowdCode, crowdDefinition(rule), { principal: 'ann', expected: 'absent' });

async function outbox(): Promise<unknown[]> {
  const rows = await query(connection, 'SELECT key, payload FROM outbox ORDER BY message_id');
  return rows.map(({ key, payload }) => [key, payload === null ? null : JSON.parse(String(payload))]);
}

test('a tag is created, changed, kept as it is, and deleted; each change is in the audit', async () => {
  const { tag: first } = await catalog.tags.save(
    tagDefinition('city', { tagType: 'enum', sourceType: null }),
    {
      principal: 'ann',
      expected: 'absent',
    },
  );
  assert.equal(first.version, 1);
  assert.ok(Math.abs(Date.now() - first.createTime.getTime()) < 60_000, 'a moment, whatever the zone');
  const definition = tagDefinition('city', { tagType: 'enum', sourceType: null, owner: '王' });
  const changed = await catalog.tags.save(definition, { principal: 'bob', expected: 1 });
  assert.deepEqual([changed.isNew, changed.tag.version, changed.tag.owner], [false, 2, '王']);
  const same = await catalog.tags.save(definition, { principal: 'bob', expected: 'any' });
  assert.equal(same.tag.version, 2);
  await assert.rejects(
    catalog.tags.save(definition, { principal: 'bob', expected: 1 }),
    fails('precondition_failed', (extra) => assert.equal(extra.currentVersion, 2)),
  );
  await catalog.tags.delete('city', { principal: 'bob', expected: 2 });
  await assert.rejects(catalog.tags.get('city'), fails('not_found'));
  const audit = await catalog.audit.list(ALL, { subjectKind: 'tag', subjectKey: 'city' });
  assert.deepEqual(
    audit.items.map(({ principal, action, before, after }) => [
      principal,
      action,
      before?.owner ?? null,
      after?.owner ?? null,
    ]),
    [
      ['bob', 'tag.delete', '王', null],
      ['bob', 'tag.save', null, '王'],
      ['ann', 'tag.save', null, null],
    ],
  );
});

test('a tag that is wrong is refused with diagnostics', async () => {
  await assert.rejects(
    catalog.tags.save(tagDefinition('spent', { sourceType: 'DOUBLE' }), { principal: 'a', expected: 'any' }),
    fails('invalid_tag', (extra) => {
      const [diagnostic] = extra.diagnostics as { code: string; pointer: string }[];
      assert.deepEqual([diagnostic?.code, diagnostic?.pointer], ['float_column', '/sourceType']);
    }),
  );
});

test('a tag in a rule: deletion and a type that breaks the rule are refused with the list', async () => {
  await create('adults', OVER_18);
  await create('also_adults', inCrowd('adults'));
  await assert.rejects(
    catalog.tags.delete('age', { principal: 'ann', expected: 1 }),
    fails('conflict', (extra) => assert.deepEqual(extra.usedBy, [{ kind: 'crowd', code: 'adults' }])),
  );
  const asText = tagDefinition('age', { tagType: 'enum', sourceType: 'STRING' });
  await assert.rejects(
    catalog.tags.save(asText, { principal: 'ann', expected: 1 }),
    fails('conflict', (extra) =>
      assert.deepEqual(
        (extra.broken as { crowdCode: string }[]).map(({ crowdCode }) => crowdCode),
        ['adults', 'also_adults'],
      ),
    ),
  );
  assert.equal((await catalog.tags.get('age')).tagType, 'numeric');
  const widened = await catalog.tags.save(tagDefinition('age', { sourceType: 'BIGINT' }), {
    principal: 'ann',
    expected: 1,
  });
  assert.equal(widened.tag.version, 2);
});

test('every save of a crowd is a version, an audit entry and a message; the rule keeps its text', async () => {
  const exact = '{"tag_code":"age","op":">","value":0.12345678901234567890123456789}';
  await create('adults', exact);
  const definition = crowdDefinition(OVER_18, { crowdName: '成年人' });
  const saved = await catalog.crowds.save('adults', definition, {
    principal: 'bob',
    reason: 'rounder',
    expected: 1,
  });
  assert.deepEqual([saved.isNew, saved.crowd.version], [false, 2]);
  await catalog.crowds.save('adults', definition, { principal: 'bob', expected: 2 });
  const restored = await catalog.crowds.rollBack('adults', 1, { principal: 'cid', expected: 2 });
  assert.deepEqual([restored.version, restored.ruleJson, restored.crowdName], [3, exact, 'A crowd']);
  const versions = await catalog.crowds.versions('adults', ALL);
  assert.deepEqual(
    versions.items.map((each) => [each.version, each.author, each.reason, each.restoredVersion]),
    [
      [3, 'cid', null, 1],
      [2, 'bob', 'rounder', null],
      [1, 'ann', null, null],
    ],
  );
  assert.equal(versions.items[0]?.ruleHash, versions.items[2]?.ruleHash);
  assert.notEqual(versions.items[0]?.ruleHash, versions.items[1]?.ruleHash);
  const { crowd: other } = await create('spaced', '{"value": 18.0, "op": ">",  "tag_code":"age"}');
  const spaced = await catalog.crowds.version('spaced', other.version);
  assert.equal(spaced.ruleHash, versions.items[1]?.ruleHash, 'the hash is of the canonical text');
  await catalog.crowds.delete('spaced', { principal: 'bob', expected: 1, maxUnfinished: 10 });
  await catalog.crowds.setStatus('adults', 'paused', 'bob');
  await catalog.crowds.setStatus('adults', 'paused', 'bob');
  await catalog.crowds.setStatus('adults', 'active', 'bob');
  await catalog.crowds.delete('adults', { principal: 'bob', expected: 3, maxUnfinished: 10 });
  const message = (status: string, ruleVersion: number, rule: string) => [
    'adults',
    { crowdCode: 'adults', status, ruleVersion, rule },
  ];
  const messages = (await outbox()) as [string, unknown][];
  assert.deepEqual(
    messages.filter(([key]) => key === 'adults'),
    [
      message('active', 1, exact),
      message('active', 2, JSON.stringify(OVER_18)),
      message('active', 3, exact),
      message('paused', 3, exact),
      message('active', 3, exact),
      ['adults', null],
    ],
  );
  const audit = await catalog.audit.list(ALL, { subjectKey: 'adults' });
  assert.deepEqual(
    audit.items.map(({ action }) => action),
    ['crowd.delete', 'crowd.resume', 'crowd.pause', 'crowd.roll_back', 'crowd.save', 'crowd.save'],
  );
  assert.deepEqual(audit.items.at(-2)?.before?.ruleJson, exact);
  const again = await create('adults', OVER_18);
  assert.equal(again.crowd.version, 4);
});

test('two savers at once: one wins, the other is told, nothing is lost', async () => {
  await create('adults', OVER_18);
  const save = (value: number) =>
    catalog.crowds.save('adults', crowdDefinition({ ...OVER_18, value }), { principal: 'p', expected: 1 });
  const outcomes = await Promise.allSettled([19, 20, 21, 22, 23].map(save));
  const won = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  assert.equal(won.length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.ok(fails('precondition_failed')(outcome.reason));
  }
  const crowd = await catalog.crowds.get('adults');
  assert.equal(crowd.version, 2);
  assert.equal(won[0]?.value.crowd.ruleJson, crowd.ruleJson);
  assert.equal((await catalog.crowds.versions('adults', ALL)).items.length, 2);
  const created = await Promise.allSettled([create('fresh', OVER_18), create('fresh', OVER_18)]);
  assert.deepEqual(created.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
});

test('two saves that cross cannot make a cycle between them', async () => {
  await create('a', OVER_18);
  await create('b', OVER_18);
  const refer = (from: string, to: string) =>
    catalog.crowds.save(from, crowdDefinition(inCrowd(to)), { principal: 'p', expected: 1 });
  const outcomes = await Promise.allSettled([refer('a', 'b'), refer('b', 'a')]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  const refused = outcomes.find((outcome) => outcome.status === 'rejected');
  assert.ok(
    fails('invalid_rule', (extra) =>
      assert.equal((extra.diagnostics as { code: string }[])[0]?.code, 'crowd_cycle'),
    )(refused?.reason),
  );
  await assert.rejects(create('self', inCrowd('self')), fails('invalid_rule'));
});

test('a rule with errors changes nothing', async () => {
  await assert.rejects(
    create('broken', {
      logic: 'AND',
      conditions: [{ tag_code: 'nope', op: '=', value: 1 }, inCrowd('none')],
    }),
    fails('invalid_rule', (extra) =>
      assert.deepEqual((extra.diagnostics as { code: string }[]).map(({ code }) => code).sort(), [
        'unknown_crowd',
        'unknown_tag',
      ]),
    ),
  );
  await assert.rejects(catalog.crowds.get('broken'), fails('not_found'));
  assert.deepEqual(await outbox(), []);
});

test('a change that would push others over a limit is refused with their names', async () => {
  let rule: unknown = OVER_18;
  for (let level = 0; level < 20; level += 1) rule = { logic: 'NOT', conditions: [rule] };
  await create('small', OVER_18);
  await create(
    'deep',
    JSON.parse(JSON.stringify(rule).replace(JSON.stringify(OVER_18), JSON.stringify(inCrowd('small')))),
  );
  await assert.rejects(
    catalog.crowds.save('small', crowdDefinition(rule), { principal: 'p', expected: 1 }),
    fails('conflict', (extra) =>
      assert.equal((extra.broken as { crowdCode: string }[])[0]?.crowdCode, 'deep'),
    ),
  );
});

test('a crowd in use is not deleted, and the list says by what', async () => {
  await create('adults', OVER_18);
  await create('vip', { logic: 'NOT', conditions: [inCrowd('adults')] });
  await catalog.activities.insert({
    activityId: 'double-eleven',
    activityName: '双十一',
    crowdCode: 'adults',
    channel: 'SMS',
    startTime: '2026-11-11T00:00:00',
    endTime: '2026-11-12T00:00:00',
    status: 'planning',
    totalReachCount: 0,
    conversionCount: 0,
  });
  const [run] = await catalog.runs.request({
    crowdCodes: ['adults'],
    dt: '1998-06-30',
    origin: 'real',
    cause: 'manual',
    requestedBy: 'ann',
    maxUnfinished: 10,
  });
  await assert.rejects(
    catalog.crowds.delete('adults', { principal: 'ann', expected: 1, maxUnfinished: 10 }),
    fails('conflict', (extra) =>
      assert.deepEqual(extra.usedBy, [
        { kind: 'activity', code: 'double-eleven' },
        { kind: 'crowd', code: 'vip' },
        { kind: 'run', code: String(run?.runId) },
      ]),
    ),
  );
  assert.equal((await catalog.activities.listOfCrowd('adults'))[0]?.startTime, '2026-11-11T00:00:00');
});

test('lists come in pages', async () => {
  for (const code of ['c1', 'c2', 'c3', 'c4', 'c5']) await create(code, OVER_18);
  const seen: string[] = [];
  let next: string | null = null;
  do {
    const page: Awaited<ReturnType<Catalog['crowds']['list']>> = await catalog.crowds.list({
      limit: 2,
      after: next,
    });
    seen.push(...page.items.map(({ crowdCode }) => crowdCode));
    next = page.next;
  } while (next !== null);
  assert.deepEqual(seen, ['c1', 'c2', 'c3', 'c4', 'c5']);
});
