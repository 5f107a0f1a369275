import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type ColumnType, CompiledRules, checkRule, resolveRule } from '../../rules/index.js';
import { compileToSql } from '../../rules/sql/index.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { readSpecCases } from '../support/spec-cases.js';
import { openDuckdb, openPostgres, type SqlEngine } from './engines.js';

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

for (const { name, rule, tags, crowds, zone, anchor, rows, diagnostics } of readSpecCases()) {
  if (diagnostics.length > 0) continue;
  test(`in SQL: ${name}`, async () => {
    const checked = checkRule(rule, { tags, crowds, zone });
    assert.ok(checked.ok);
    const resolved = resolveRule(checked.value, { zone, anchor });
    assert.ok(resolved.ok);
    // A column that the rule does not read may be given what it cannot hold.
    const columns = new CompiledRules([resolved.value]).tags.map((tag) => ({
      tag,
      sqlType: sqlTypeOf(tag.column),
    }));
    for (const engine of engines) {
      const sql = compileToSql(checked.value, { zone, anchor }, engine.dialect);
      assert.ok(sql.ok);
      await engine.load(
        columns,
        rows.map(({ row }) => row),
      );
      const [truths = []] = await engine.evaluate([sql.value]);
      const answers = rows.map(({ uid }, index) => ({ uid, truth: truths[index] }));
      assert.deepEqual(
        answers,
        rows.map(({ uid, expect }) => ({ uid, truth: expect })),
        `${engine.dialect.name}: ${sql.value}`,
      );
    }
  });
}

const INTEGER_TYPES = { 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT' } as const;

function sqlTypeOf(column: ColumnType): string {
  switch (column.kind) {
    case 'integer':
      return INTEGER_TYPES[column.bits];
    case 'decimal':
      return `DECIMAL(${column.precision}, ${column.scale})`;
    case 'number':
      return 'DECIMAL';
    case 'timestamptz':
      return 'TIMESTAMP WITH TIME ZONE';
    default:
      return column.kind.toUpperCase();
  }
}
