import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTags, RuleChecker } from '../index.js';
import { compileCrowdsToSql, compileToSql, duckdb, postgres } from './index.js';

const TAGS = [
  { tag_code: 'age', tag_type: 'numeric', source_type: 'INT' },
  { tag_code: 'level', tag_type: 'numeric', source_type: 'TINYINT' },
  { tag_code: 'spent', tag_type: 'numeric', source_type: 'DECIMAL(10,2)' },
  { tag_code: 'wide', tag_type: 'numeric', source_type: 'DECIMAL(38,10)' },
  { tag_code: 'score', tag_type: 'numeric' },
  { tag_code: 'city', tag_type: 'enum' },
  { tag_code: 'odd', tag_type: 'enum', source_field: 'we"ird' },
  { tag_code: 'vip', tag_type: 'boolean', source_type: 'BOOLEAN' },
  { tag_code: 'flag', tag_type: 'boolean' },
  { tag_code: 'day', tag_type: 'datetime', source_type: 'DATE' },
  { tag_code: 'shown', tag_type: 'datetime', source_type: 'TIMESTAMP' },
  { tag_code: 'moment', tag_type: 'datetime', source_type: 'TIMESTAMPTZ' },
  { tag_code: 'epoch', tag_type: 'datetime', source_type: 'BIGINT', value_format: 'instant:epoch_seconds' },
  { tag_code: 'short_epoch', tag_type: 'datetime', source_type: 'INT', value_format: 'instant:epoch_millis' },
];
const CROWDS = {
  adults: { tag_code: 'age', op: '>=', value: 18 },
  vips: {
    logic: 'AND',
    conditions: [
      { tag_code: 'vip', op: '=', value: true },
      { crowd_code: 'adults', op: 'IN CROWD' },
    ],
  },
};
const CONTEXT = { zone: 'Asia/Shanghai', anchor: { kind: 'dt', day: 10_407 } } as const; // 1998-06-30

const checker = createChecker();

function createChecker(): RuleChecker {
  const tags = parseTags(JSON.stringify(TAGS));
  assert.ok(tags.ok);
  const crowds = new Map(Object.entries(CROWDS).map(([code, rule]) => [code, JSON.stringify(rule)]));
  return new RuleChecker({ tags: tags.value, crowds, zone: CONTEXT.zone });
}

function check(rule: unknown) {
  const checked = checker.checkRule(JSON.stringify(rule));
  assert.ok(checked.ok, checked.ok ? '' : JSON.stringify(checked.diagnostics));
  return checked.value;
}

const on = (tag_code: string, op: string, value?: unknown) => ({ tag_code, op, value });

const HUNDRED = Array.from({ length: 100 }, (_, index) => index).join(', ');

/** What both engines get, or each. */
const CASES: readonly { name: string; rule: unknown; sql: string; postgres?: string }[] = [
  { name: 'a number', rule: on('age', '>', 18), sql: `"age" > 18` },
  { name: 'a number between whole ones', rule: on('age', '>=', 18.5), sql: `"age" >= 19` },
  {
    name: 'equal to what the column cannot hold',
    rule: on('age', '=', 18.5),
    sql: `CASE WHEN "age" IS NOT NULL THEN FALSE END`,
  },
  {
    name: 'above all that the column holds',
    rule: on('level', '<', 200),
    sql: `CASE WHEN "level" IS NOT NULL THEN TRUE END`,
  },
  {
    name: 'a range cut to the column',
    rule: on('level', 'BETWEEN', [-1000, 5]),
    sql: `"level" BETWEEN -128 AND 5`,
  },
  {
    name: 'a list, of which the column can hold two',
    rule: on('level', 'IN', [3, 1.5, 300, 3, 4]),
    sql: `"level" IN (3, 4)`,
  },
  {
    name: 'a decimal',
    rule: on('spent', '=', 0.1),
    sql: `"spent" = 0.1`,
    postgres: `NULLIF("spent", 'NaN') = 0.1`,
  },
  {
    name: 'a decimal finer than the column',
    rule: on('spent', '>', 0.001),
    sql: `"spent" > 0`,
    postgres: `NULLIF("spent", 'NaN') > 0`,
  },
  {
    name: 'a wide decimal',
    rule: on('wide', '<', 12.5),
    sql: `"wide" < CAST('12.5' AS DECIMAL(38, 10))`,
    postgres: `NULLIF("wide", 'NaN') < 12.5`,
  },
  { name: 'texts', rule: on('city', 'NOT IN', ['北京', "O'Hare"]), sql: `"city" NOT IN ('北京', 'O''Hare')` },
  { name: 'a list of one', rule: on('city', 'NOT IN', ['北京', '北京']), sql: `"city" <> '北京'` },
  {
    name: 'a backslash',
    rule: on('city', '=', "\\'"),
    sql: `"city" = '\\'''`,
    postgres: `"city" = E'\\\\'''`,
  },
  {
    name: 'nothing special in a prefix',
    rule: on('city', 'STARTS WITH', '50%_'),
    sql: `starts_with("city", '50%_')`,
  },
  {
    name: 'a part',
    rule: on('city', 'CONTAINS', '%'),
    sql: `contains("city", '%')`,
    postgres: `strpos("city", '%') > 0`,
  },
  { name: 'a column with a quote', rule: on('odd', 'IS NULL'), sql: `"we""ird" IS NULL` },
  { name: 'a boolean', rule: on('vip', '!=', true), sql: `"vip" = FALSE` },
  {
    name: 'a boolean text',
    rule: on('flag', '=', true),
    sql: `CASE WHEN "flag" IN ('true', '1', 'false', '0') THEN "flag" IN ('true', '1') END`,
  },
  {
    name: 'no boolean text',
    rule: on('flag', 'IS NULL'),
    sql: `NOT (COALESCE("flag" IN ('true', '1', 'false', '0'), FALSE))`,
  },
  {
    name: 'a day, relative',
    rule: on('day', '>=', { relative: '-30d' }),
    sql: `CASE WHEN "day" BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN "day" >= DATE '1998-05-31' END`,
  },
  {
    name: 'the last day there is',
    rule: on('day', '<=', '9999-12-31'),
    sql: `CASE WHEN "day" BETWEEN DATE '0001-01-01' AND DATE '9999-12-31' THEN TRUE END`,
  },
  {
    name: 'a civil day of moments',
    rule: on('moment', '=', '1998-06-30'),
    sql: `CASE WHEN "moment" BETWEEN TIMESTAMPTZ '0001-01-01 00:00:00+00' AND TIMESTAMPTZ '9999-12-31 23:59:59.999999+00'
  THEN "moment" >= TIMESTAMPTZ '1998-06-29 16:00:00+00'
  AND "moment" < TIMESTAMPTZ '1998-06-30 16:00:00+00'
END`,
  },
  {
    // 1986-05-04 had no 00:30 in Shanghai: what a column holds as 02:30 is 03:30.
    name: 'a moment beside a gap',
    rule: on('shown', '=', '1986-05-04T03:30:00'),
    sql: `CASE WHEN "shown" BETWEEN TIMESTAMP '0001-01-01 08:05:43' AND TIMESTAMP '9999-12-31 23:59:59.999999' THEN "shown" END IN (TIMESTAMP '1986-05-04 02:30:00', TIMESTAMP '1986-05-04 03:30:00')`,
  },
  {
    // DuckDB hashes a subquery, not a long list.
    name: 'a long list',
    rule: on(
      'age',
      'NOT IN',
      Array.from({ length: 100 }, (_, index) => index),
    ),
    sql: `"age" NOT IN (SELECT unnest([${HUNDRED}]))`,
    postgres: `"age" NOT IN (${HUNDRED})`,
  },
  {
    name: 'whole seconds',
    rule: on('epoch', '>', '1970-01-01T00:00:01.5Z'),
    sql: `CASE WHEN "epoch" BETWEEN -62135596800 AND 253402300799 THEN "epoch" >= 2 END`,
  },
  {
    name: 'an integer that is always in the calendar',
    rule: on('short_epoch', '<', '1970-01-01T00:00:01Z'),
    sql: `"short_epoch" < 1000`,
  },
  {
    name: 'groups and NOT',
    rule: {
      logic: 'OR',
      conditions: [
        {
          logic: 'AND',
          conditions: [on('age', '<', 3), { logic: 'AND', conditions: [on('vip', '=', false)] }],
        },
        { logic: 'NOT', conditions: [on('city', '=', 'a')] },
      ],
    },
    sql: `("age" < 3 AND "vip" = FALSE) OR NOT ("city" = 'a')`,
  },
  {
    name: 'a crowd of crowds',
    rule: { crowd_code: 'vips', op: 'NOT IN CROWD' },
    sql: `NOT (COALESCE("vip" = TRUE AND COALESCE("age" >= 18, FALSE), FALSE))`,
  },
];

for (const { name, rule, sql, postgres: postgresSql = sql } of CASES) {
  test(`SQL: ${name}`, () => {
    assert.deepEqual(compileToSql(check(rule), CONTEXT, duckdb), { ok: true, value: sql });
    assert.deepEqual(compileToSql(check(rule), CONTEXT, postgres), { ok: true, value: postgresSql });
  });
}

test('crowds become columns, each after those that it refers to', () => {
  const rules = new Map([
    ['all', check({ logic: 'OR', conditions: [{ crowd_code: 'vips', op: 'IN CROWD' }, on('age', '>', 90)] })],
    ['adults', check(CROWDS.adults)],
  ]);
  assert.deepEqual(
    compileCrowdsToSql(rules, CONTEXT, duckdb, (code) => `in_${code}`),
    {
      ok: true,
      value: [
        { crowdCode: 'adults', sql: `COALESCE("age" >= 18, FALSE)` },
        { crowdCode: 'vips', sql: `COALESCE("vip" = TRUE AND "in_adults", FALSE)` },
        { crowdCode: 'all', sql: `COALESCE("in_vips" OR "age" > 90, FALSE)` },
      ],
    },
  );
});

test('a relative value without an anchor is refused', () => {
  const rule = check(on('day', '>=', { relative: '-1d' }));
  const result = compileToSql(rule, { ...CONTEXT, anchor: null }, duckdb);
  assert.ok(!result.ok);
  assert.deepEqual(
    result.diagnostics.map(({ code }) => code),
    ['anchor_required'],
  );
});

test('a literal that no engine can hold is refused', () => {
  for (const dialect of [duckdb, postgres]) {
    assert.throws(() => dialect.string('a\0b'), RangeError);
    assert.throws(() => dialect.string('\ud800'), RangeError);
    assert.throws(() => dialect.identifier('\udc00'), RangeError);
  }
});
