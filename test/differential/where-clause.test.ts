/**
 * The SQL where it is meant to stand: in a WHERE clause, over a table and over Parquet. Engines treat conditions there
 * differently from those that they select: they split them, push them into scans, and skip what statistics rule out.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Truth } from '../../rules/index.js';
import { duckdb } from '../../rules/sql/index.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { type Campaign, runCampaign } from './campaign.js';
import { type Contender, sqlOf } from './compare.js';
import { openDuckdb, openPostgres, type SqlEngine } from './engines.js';

const CAMPAIGN: Campaign = {
  seed: 20_270_101,
  rules: 600,
  rows: 200,
  test: 'test/differential/where-clause.test.ts',
};

let server: TestPostgres;
let folder: string;

before(async () => {
  server = await startTestPostgres();
  folder = mkdtempSync(path.join(tmpdir(), 'quanren-where-'));
});

after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A rule is true where its condition selects the row, false where the opposite does, and else unknown. */
function whereContender(engine: SqlEngine, source: string, prepare: () => Promise<unknown>): Contender {
  const select = async (condition: string) => {
    const rows = await engine.query(`SELECT row_number_ FROM ${source} WHERE ${condition}`);
    return new Set(rows.map(([number]) => Number(number)));
  };
  return {
    name: `${engine.dialect.name} WHERE`,
    load: async ({ tags, rows }) => {
      await engine.load(tags, rows);
      await prepare();
    },
    evaluate: async ({ context, rows }, rules) => {
      const truths: Truth[][] = [];
      for (const rule of rules) {
        const sql = sqlOf(rule, context, engine);
        const first = engine.dialect.name === 'duckdb' ? 0 : 1;
        const yes = await select(sql);
        const no = await select(`NOT (${sql})`);
        truths.push(
          rows.map((_, index) => (yes.has(index + first) ? true : no.has(index + first) ? false : null)),
        );
      }
      return truths;
    },
  };
}

test('in a WHERE clause over Parquet, in DuckDB', async () => {
  const engine = await openDuckdb();
  try {
    const file = duckdb.string(path.join(folder, 'users.parquet'));
    const prepare = () => engine.query(`COPY users TO ${file} (FORMAT parquet)`);
    const contender = whereContender(engine, file, prepare);
    const { counts, disagreements } = await runCampaign(CAMPAIGN, [contender]);
    assert.deepEqual(disagreements, []);
    assert.equal(counts.rules, CAMPAIGN.rules);
  } finally {
    await engine.stop();
  }
});

test('in a WHERE clause over a table, in DuckDB', async () => {
  const engine = await openDuckdb();
  try {
    const { disagreements } = await runCampaign(CAMPAIGN, [whereContender(engine, 'users', async () => 0)]);
    assert.deepEqual(disagreements, []);
  } finally {
    await engine.stop();
  }
});

test('in a WHERE clause over a table, in Postgres', async () => {
  const engine = await openPostgres(server);
  try {
    const { disagreements } = await runCampaign(CAMPAIGN, [whereContender(engine, 'users', async () => 0)]);
    assert.deepEqual(disagreements, []);
  } finally {
    await engine.stop();
  }
});
