/** What engines are known to trip over, one by one. The differential tests would find most of it too, but not say it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createTag, formatDate, RuleChecker, type TagFields, type Truth } from '../../rules/index.js';
import { compileToSql } from '../../rules/sql/index.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { runCampaign } from './campaign.js';
import { sqlContender } from './compare.js';
import { openDuckdb, openPostgres, type SqlEngine } from './engines.js';

const ZONE = 'Asia/Shanghai';

let server: TestPostgres;
let engines: readonly SqlEngine[];

before(async () => {
  server = await startTestPostgres();
  engines = [await openDuckdb(), await openPostgres(server)];
});

after(async () => {
  for (const engine of engines) await engine.stop();
  await server.stop();
});

/** A condition's truth for each of the values that one column holds. */
async function expectTruths(
  engine: SqlEngine,
  type: Partial<TagFields> & { readonly sqlType: string },
  values: readonly (string | null)[],
  rule: object | string,
  expected: readonly Truth[],
): Promise<void> {
  const { sqlType, ...fields } = type;
  const created = createTag({ tag_code: 'x', tag_type: 'enum', source_type: sqlType, ...fields });
  assert.ok(created.ok);
  const tag = created.value;
  const checker = new RuleChecker({ tags: new Map([['x', tag]]), crowds: new Map(), zone: ZONE });
  const checked = checker.checkRule(typeof rule === 'string' ? rule : JSON.stringify(rule));
  assert.ok(checked.ok, checked.ok ? '' : checked.diagnostics[0]?.message);
  const sql = compileToSql(checked.value, { zone: ZONE, anchor: null }, engine.dialect);
  assert.ok(sql.ok);
  await engine.load(
    [{ tag, sqlType }],
    values.map((value) => new Map([['x', value]])),
  );
  assert.deepEqual(await engine.evaluate([sql.value]), [expected], engine.dialect.name);
}

const on = (op: string, value?: unknown) => ({ tag_code: 'x', op, value });
const EPOCHS = { tag_type: 'datetime', value_format: 'instant:epoch_seconds', sqlType: 'TEXT' };

test('a text that no cast takes does not raise, also not where a list is looked up', async () => {
  const moments = Array.from(
    { length: 150 },
    (_, index) => `1970-01-01T00:${String(index % 60).padStart(2, '0')}:${index < 60 ? '00' : '30'}Z`,
  );
  for (const engine of engines) {
    for (const count of [1, 2, 5, 20, 150]) {
      const rule = on('NOT IN', moments.slice(0, count));
      await expectTruths(engine, EPOCHS, ['0', 'x', '9'.repeat(40), '7', null], rule, [
        false,
        null,
        null,
        true,
        null,
      ]);
    }
  }
});

test('numbers of any number of zeros', async () => {
  const zeros = '0'.repeat(200_000);
  const values = [`${zeros}1.5${zeros}`, `-${zeros}.0`, `-${zeros}1.5`, `1${zeros}`];
  for (const engine of engines) {
    const number = { tag_type: 'numeric', sqlType: 'TEXT' };
    await expectTruths(engine, number, values, on('=', 1.5), [true, false, false, null]);
    await expectTruths(
      engine,
      { ...EPOCHS },
      [`${zeros}1`, `-${zeros}`, `1${zeros}`],
      on('=', '1970-01-01T00:00:01Z'),
      [true, false, null],
    );
  }
});

test('decimals are never doubles', async () => {
  const rule = (number: string) => `{"tag_code":"x","op":"=","value":${number}}`;
  const digits = '1234567890123456789012345678901234567';
  for (const engine of engines) {
    const wide = { tag_type: 'numeric', sqlType: 'DECIMAL(38, 0)' };
    await expectTruths(engine, wide, [`${digits}8`, `${digits}9`], rule(`${digits}8`), [true, false]);
    const fine = { tag_type: 'numeric', sqlType: 'DECIMAL(38, 38)' };
    await expectTruths(engine, fine, [`0.${digits}8`, `0.${digits}9`], rule(`0.${digits}8`), [true, false]);
    const big = { tag_type: 'numeric', sqlType: 'BIGINT' };
    await expectTruths(engine, big, ['9007199254740993', '9007199254740992'], rule('9007199254740993'), [
      true,
      false,
    ]);
    await expectTruths(
      engine,
      big,
      ['9223372036854775807', '-9223372036854775808'],
      rule('9223372036854775807'),
      [true, false],
    );
  }
});

test('a literal beyond a column is true or false of all it holds', async () => {
  for (const engine of engines) {
    const small = { tag_type: 'numeric', sqlType: 'TINYINT' };
    await expectTruths(engine, small, ['127', '-128', null], on('<', 1e6), [true, true, null]);
    await expectTruths(engine, small, ['127', '-128', null], on('>=', 1e6), [false, false, null]);
    await expectTruths(engine, small, ['127', '-128', null], on('NOT IN', [1e6, 0.5]), [true, true, null]);
  }
});

test('days and moments beyond the calendar are NULL', async () => {
  const rule = { logic: 'OR', conditions: [on('>=', '1970-01-01'), on('IS NULL')] };
  for (const engine of engines) {
    const bc = engine.dialect.name === 'duckdb' ? '(BC)' : 'BC';
    const day = { tag_type: 'datetime', sqlType: 'DATE' };
    const days = ['infinity', '-infinity', `0044-03-15 ${bc}`, '10000-01-01', '1969-12-31'];
    await expectTruths(engine, day, days, rule, [true, true, true, true, false]);
    await expectTruths(engine, day, days, on('<=', '9999-12-31'), [null, null, null, null, true]);
    const native = { tag_type: 'datetime', sqlType: 'TIMESTAMP' };
    const moments = [
      'infinity',
      '-infinity',
      engine.dialect.name === 'duckdb' ? '0044-03-15 (BC) 10:00:00' : '0044-03-15 10:00:00 BC',
      '10000-01-01 00:00:00',
      '0001-01-01 08:05:42',
      '0001-01-01 08:05:43',
    ];
    await expectTruths(engine, native, moments, on('<=', '9999-12-31T00:00:00'), [
      null,
      null,
      null,
      null,
      null,
      true,
    ]);
  }
});

test('NaN in a column of decimals is NULL', async () => {
  const [, inPostgres] = engines;
  assert.ok(inPostgres);
  const decimal = { tag_type: 'numeric', sqlType: 'DECIMAL(10, 2)' };
  await expectTruths(inPostgres, decimal, ['NaN', '1'], on('>', 0.5), [null, true]);
  await expectTruths(inPostgres, decimal, ['NaN', '1'], on('IS NULL'), [true, false]);
});

test('a DECIMAL without a precision is whatever the engine makes of it', async () => {
  const [inDuckdb, inPostgres] = engines;
  assert.ok(inDuckdb && inPostgres);
  const number = { tag_type: 'numeric', sqlType: 'NUMERIC' };
  for (const engine of engines) {
    await expectTruths(engine, number, ['0.2', '0.3', '-1', null], on('>', 0.2), [false, true, false, null]);
    await expectTruths(engine, number, ['0.200', '1'], on('IN', [0.2, 5]), [true, false]);
  }
  const numbers = ['NaN', 'Infinity', '1e50', '1e-38', '-0.0'];
  await expectTruths(inPostgres, number, numbers, on('<', 1), [null, null, null, true, true]);
  await expectTruths(inPostgres, number, numbers, on('IS NULL'), [true, true, true, false, false]);
  // DuckDB writes these without a digit before the point.
  const fraction = { ...number, source_type: 'DECIMAL', sqlType: 'DECIMAL(4, 4)' };
  await expectTruths(inDuckdb, fraction, ['0.5', '-0.5', '0'], on('<=', 0), [false, true, true]);
});

test('what fills a CHAR up is no part of its value', async () => {
  for (const engine of engines) {
    const text = { sqlType: 'CHAR(9)' };
    await expectTruths(engine, text, ['ab', 'ab c', null], on('=', 'ab'), [true, false, null]);
    await expectTruths(engine, text, ['ab', 'ab c', null], on('IN', ['ab ', 'x']), [false, false, null]);
    await expectTruths(engine, text, ['ab', 'ab c', null], on('STARTS WITH', 'ab '), [false, true, null]);
    await expectTruths(engine, text, ['ab', 'ab c', null], on('CONTAINS', ' '), [false, true, null]);
    const number = { tag_type: 'numeric', sqlType: 'CHAR(9)' };
    await expectTruths(engine, number, ['12', '12.50', 'x'], on('>=', 12.5), [false, true, null]);
    await expectTruths(engine, { tag_type: 'boolean', ...text }, ['true', '0'], on('=', true), [true, false]);
    const day = { tag_type: 'datetime', value_format: 'date', sqlType: 'CHAR(20)' };
    await expectTruths(engine, day, ['1998-06-30', '1998-06'], on('IS NULL'), [false, true]);
    await expectTruths(engine, { ...EPOCHS, sqlType: 'CHAR(9)' }, ['1', '1x'], on('IS NULL'), [false, true]);
  }
});

test('U+0000, which DuckDB holds, is a character like others', async () => {
  const [inDuckdb] = engines;
  assert.ok(inDuckdb);
  const values = ['a\0b', 'a', '\0'];
  await expectTruths(inDuckdb, { sqlType: 'TEXT' }, values, on('=', 'a'), [false, true, false]);
  await expectTruths(inDuckdb, { sqlType: 'TEXT' }, values, on('STARTS WITH', 'a'), [true, true, false]);
  await expectTruths(inDuckdb, { tag_type: 'numeric', sqlType: 'TEXT' }, ['1\0', '1'], on('=', 1), [
    null,
    true,
  ]);
});

/** Every second number or day, so that no two of them make one range. */
const EVEN_NUMBERS = Array.from({ length: 100_000 }, (_, index) => index * 2);
const EVERY_OTHER_DAY = EVEN_NUMBERS.map((number) => formatDate(number - 50_000));
const [FIRST_DAY, SECOND_DAY, LAST_DAY] = [-50_000, -49_999, 149_998].map(formatDate);
const LONG_LISTS: readonly {
  readonly name: string;
  readonly column: Parameters<typeof expectTruths>[1];
  readonly rule: object;
  readonly values: readonly (string | null)[];
  readonly expected: readonly Truth[];
}[] = [
  {
    name: 'whole numbers',
    column: { tag_type: 'numeric', sqlType: 'BIGINT' },
    rule: on('NOT IN', EVEN_NUMBERS),
    values: ['199998', '7', '200000', null],
    expected: [false, true, true, null],
  },
  {
    name: 'numbers in texts',
    column: { tag_type: 'numeric', sqlType: 'TEXT' },
    rule: on('IN', EVEN_NUMBERS),
    values: ['199998.0', '7', 'x', null],
    expected: [true, false, null, null],
  },
  {
    name: 'texts',
    column: { sqlType: 'TEXT' },
    rule: on(
      'NOT IN',
      EVEN_NUMBERS.map((number) => `v'${number}`),
    ),
    values: ["v'199998", 'v', null],
    expected: [false, true, null],
  },
  {
    name: 'days',
    column: { tag_type: 'datetime', sqlType: 'DATE' },
    rule: on('IN', EVERY_OTHER_DAY),
    values: [`${FIRST_DAY}`, `${SECOND_DAY}`, `${LAST_DAY}`, null],
    expected: [true, false, true, null],
  },
  {
    name: 'days of moments',
    column: { tag_type: 'datetime', sqlType: 'TIMESTAMP' },
    rule: on('IN', EVERY_OTHER_DAY),
    values: [`${FIRST_DAY} 12:00:00`, `${SECOND_DAY} 12:00:00`, `${LAST_DAY} 23:59:59.999999`, null],
    expected: [true, false, true, null],
  },
];

for (const { name, column, rule, values, expected } of LONG_LISTS) {
  for (const number of [0, 1]) {
    test(`a list of 100,000 ${name} in ${['DuckDB', 'Postgres'][number]}`, async () => {
      const engine = engines[number];
      assert.ok(engine);
      await expectTruths(engine, column, values, rule, expected);
    });
  }
}

test('at each bound of many ranges, which are searched by halves', async () => {
  const days = Array.from({ length: 40 }, (_, index) => formatDate(10_000 + index * 2));
  const [first, last] = ['00:00:00', '23:59:59.999999'];
  const within = days.flatMap((day) => [`${day} ${first}`, `${day} ${last}`]);
  const beside = days.flatMap((_, index) => {
    const next = formatDate(10_001 + index * 2);
    return [`${next} ${first}`, `${next} ${last}`];
  });
  const expected = [...within.map(() => true), ...beside.map(() => false)];
  for (const engine of engines) {
    for (const sqlType of ['TEXT', 'TIMESTAMP']) {
      const column = { tag_type: 'datetime', value_format: 'instant', sqlType };
      await expectTruths(engine, column, [...within, ...beside], on('IN', days), expected);
    }
  }
});

test('as deep and as large as a rule may be', async () => {
  const nested = (depth: number): object =>
    depth === 1 ? on('>', 0) : { logic: depth % 2 === 0 ? 'NOT' : 'AND', conditions: [nested(depth - 1)] };
  const conditions = Array.from({ length: 10_000 }, (_, index) => on('!=', index));
  const number = { tag_type: 'numeric', sqlType: 'INTEGER' };
  for (const engine of engines) {
    await expectTruths(engine, number, ['1', '0', null], nested(32), [true, false, null]);
    await expectTruths(engine, number, ['9999', '10000', null], { logic: 'AND', conditions }, [
      false,
      true,
      null,
    ]);
  }
});

test('no setting of a session changes an answer', async () => {
  const [inDuckdb, inPostgres] = engines;
  assert.ok(inDuckdb && inPostgres);
  for (const setting of [
    "TimeZone = 'America/New_York'",
    "Calendar = 'japanese'",
    'old_implicit_casting = true',
    'integer_division = true',
    "default_null_order = 'nulls_first'",
  ]) {
    await inDuckdb.query(`SET ${setting}`);
  }
  for (const setting of [
    "TimeZone = 'America/New_York'",
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'sql_standard'",
    'standard_conforming_strings = off',
    'escape_string_warning = off',
    'extra_float_digits = -15',
    'backslash_quote = off',
    'transform_null_equals = on',
  ]) {
    await inPostgres.query(`SET ${setting}`);
  }
  const campaign = { seed: 7, rules: 400, rows: 50 };
  const { counts, disagreements } = await runCampaign(campaign, engines.map(sqlContender));
  assert.deepEqual(disagreements, []);
  assert.equal(counts.rules, 400);
});
