/**
 * Every engine reads the same texts as values: all texts that are one edit away from a value that a column may hold,
 * with characters that casts, patterns and trims of engines are known to forgive.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  CompiledRules,
  createTag,
  evaluateRule,
  RuleChecker,
  resolveRule,
  type TagFields,
} from '../../rules/index.js';
import { compileToSql } from '../../rules/sql/index.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { openDuckdb, openPostgres, type SqlEngine } from './engines.js';

/** A zone with a gap at midnight and offsets of odd seconds long ago. */
const CONTEXT = { zone: 'Asia/Shanghai', anchor: null } as const;

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

/** Signs, points, blanks, digits and letters that something takes for what it is not; U+0000 is added for DuckDB. */
const CHARACTERS = Array.from(
  `0169+-.,:/_'"eEtTzZxX#$ \t\n\v\f\r\u0085\u00a0\u1680\u2003\u2028\u202f\u3000\u180e\u200b\u200e\ufeff\u2212\u2010\u066b\u0663\u0967\uff11\u00b2\u{1d7d9}`,
);
const NUL = '\0';

interface Column {
  readonly name: string;
  readonly fields: Partial<TagFields>;
  readonly values: readonly string[];
  /** Beside IS NULL: what tells values apart. */
  readonly conditions: readonly { readonly op: string; readonly value: unknown }[];
}

const COLUMNS: readonly Column[] = [
  {
    name: 'numbers',
    fields: { tag_type: 'numeric' },
    values: ['0', '-0', '5', '-5', '12.50', '-0.05', '00.5', '9'.repeat(38), `0.${'1'.repeat(38)}`],
    conditions: [
      { op: '>', value: 5 },
      { op: 'IN', value: [0, -5, 12.5, 0.5] },
      { op: 'NOT BETWEEN', value: [-0.05, 12.5] },
    ],
  },
  {
    name: 'booleans',
    fields: { tag_type: 'boolean' },
    values: ['true', 'false', '1', '0', 'TRUE', 't'],
    conditions: [{ op: '=', value: true }],
  },
  {
    name: 'days',
    fields: { tag_type: 'datetime', value_format: 'date' },
    values: ['1998-06-30', '2000-02-29', '1900-02-28', '0001-01-01', '9999-12-31'],
    conditions: [
      { op: '>=', value: '1998-06-30' },
      { op: 'NOT IN', value: ['2000-02-29', '0001-01-01'] },
    ],
  },
  {
    name: 'compact days',
    fields: { tag_type: 'datetime', value_format: 'date:yyyymmdd' },
    values: ['19980630', '20000229', '00010101', '99991231'],
    conditions: [
      { op: '>=', value: '1998-06-30' },
      { op: 'NOT IN', value: ['2000-02-29', '0001-01-01'] },
    ],
  },
  {
    name: 'moments',
    fields: { tag_type: 'datetime', value_format: 'instant' },
    values: [
      '1986-05-04 02:30',
      '1986-09-14T01:30:00',
      '1998-06-30T23:59:59.999999',
      '1998-06-30T10:00Z',
      '1998-06-30 10:00:00.5+08:00',
      '1998-06-30T10:00:00-00:30',
      '1998-06-30T10:00:00+18:59',
      '0001-01-01T00:00:00Z',
      '9999-12-31T23:59:59.999999Z',
    ],
    conditions: [
      { op: '>=', value: '1998-06-30T02:00:00.5Z' },
      { op: '=', value: '1998-06-30' },
      { op: 'NOT IN', value: ['1986-05-04T03:30', '1998-06-30T23:59:59.999999', '1998-06-30T10:00Z'] },
    ],
  },
  {
    name: 'seconds',
    fields: { tag_type: 'datetime', value_format: 'instant:epoch_seconds' },
    values: ['0', '-1', '899200800', '253402300799', '-62135596800', '-0'],
    conditions: [
      { op: '>', value: '1998-06-30' },
      { op: 'IN', value: ['1970-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '9999-12-31T23:59:59Z'] },
    ],
  },
  {
    name: 'milliseconds',
    fields: { tag_type: 'datetime', value_format: 'instant:epoch_millis' },
    values: ['0', '-1', '899200800000', '253402300799999', '-62135596800000'],
    conditions: [
      { op: '>', value: '1998-06-30' },
      { op: 'IN', value: ['1970-01-01T00:00:00Z', '1969-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'] },
    ],
  },
];

/** The text itself, and it with one character put in, left out, doubled or replaced, and with two put around it. */
function neighbours(text: string, characters: readonly string[]): readonly string[] {
  const units = Array.from(text);
  const found = new Set([text]);
  for (let at = 0; at <= units.length; at += 1) {
    found.add(units.toSpliced(at, 1).join(''));
    for (const character of characters) {
      found.add(units.toSpliced(at, 0, character).join(''));
      found.add(units.toSpliced(at, 0, character, character).join(''));
      if (at < units.length) found.add(units.with(at, character).join(''));
    }
  }
  for (const character of characters) found.add(character + text + character);
  return [...found];
}

for (const { name, fields, values, conditions } of COLUMNS) {
  test(`texts beside ${name}`, async () => {
    const created = createTag({ tag_code: 'x', tag_type: 'enum', source_type: 'TEXT', ...fields });
    assert.ok(created.ok);
    const tag = created.value;
    const checker = new RuleChecker({ tags: new Map([['x', tag]]), crowds: new Map(), zone: CONTEXT.zone });
    const rules = [{ op: 'IS NULL' }, ...conditions].map((condition) => {
      const checked = checker.checkRule(JSON.stringify({ tag_code: 'x', ...condition }));
      assert.ok(checked.ok, checked.ok ? '' : checked.diagnostics[0]?.message);
      const resolved = resolveRule(checked.value, CONTEXT);
      assert.ok(resolved.ok);
      return { checked: checked.value, resolved: resolved.value };
    });
    const compiled = new CompiledRules(rules.map(({ resolved }) => resolved));
    for (const engine of engines) {
      // Postgres has no U+0000, and the checker of rows refuses it; a DuckDB table may hold it all the same.
      const characters = engine.dialect.name === 'duckdb' ? [...CHARACTERS, NUL] : CHARACTERS;
      const texts = [...new Set(values.flatMap((value) => neighbours(value, characters)))];
      const rows = texts.map((text) => new Map([['x', text]]));
      await engine.load([{ tag, sqlType: 'TEXT' }], rows);
      const truths = await engine.evaluate(
        rules.map(({ checked }) => {
          const sql = compileToSql(checked, CONTEXT, engine.dialect);
          assert.ok(sql.ok);
          return sql.value;
        }),
      );
      let valid = 0;
      for (const [index, row] of rows.entries()) {
        const expected = rules.map(({ checked }) => evaluateRule(checked, row, CONTEXT));
        const decoded = compiled.decodeRow(row);
        const text = JSON.stringify(texts[index]);
        assert.deepEqual(
          rules.map((_, number) => compiled.evaluate(number, decoded)),
          expected,
          text,
        );
        assert.deepEqual(
          truths.map((ofRule) => ofRule[index]),
          expected,
          `${engine.dialect.name}: ${text}`,
        );
        if (expected[0] === false) valid += 1;
      }
      // Else the test would say little.
      assert.ok(valid >= 4 && valid < texts.length / 2, `${valid} of ${texts.length}`);
    }
  });
}
