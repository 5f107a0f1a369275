/** Crowds as columns of one scan, which refer to one another, have the members that their rules have by themselves. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compileCrowdsToSql, duckdb } from '../../rules/sql/index.js';
import { runCampaign } from './campaign.js';
import { type Contender, reference } from './compare.js';
import { openDuckdb, type SqlEngine } from './engines.js';

let engine: SqlEngine;

before(async () => {
  engine = await openDuckdb();
});

after(() => engine.stop());

const columnOf = (crowdCode: string) => `in ${crowdCode}`;

/** A column says true or not; whether it is false or unknown that a rule is then, the reference says. */
const columns: Contender = {
  name: 'duckdb columns',
  load: ({ tags, rows }) => engine.load(tags, rows),
  evaluate: async (world, rules) => {
    const byCode = new Map(rules.map(({ checked }, number) => [`rule_${number}`, checked]));
    const compiled = compileCrowdsToSql(byCode, world.context, duckdb, columnOf);
    assert.ok(compiled.ok);
    const selected = compiled.value.map(
      ({ crowdCode, sql }) => `${sql} AS ${duckdb.identifier(columnOf(crowdCode))}`,
    );
    const members = await engine.query(`SELECT ${selected.join(',\n')} FROM users ORDER BY row_number_`);
    const expected = await reference.evaluate(world, rules);
    return rules.map((_, number) => {
      const column = compiled.value.findIndex(({ crowdCode }) => crowdCode === `rule_${number}`);
      return members.map((row, rowNumber) => {
        if (row[column] === 'true') return true;
        assert.equal(row[column], 'false');
        return expected[number]?.[rowNumber] === null ? null : false;
      });
    });
  },
};

test('crowds as columns', async () => {
  const { counts, disagreements } = await runCampaign(
    { seed: 41, rules: 500, rows: 100, test: 'test/differential/crowd-columns.test.ts' },
    [columns],
  );
  assert.deepEqual(disagreements, []);
  assert.equal(counts.rules, 500);
});
