import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Truth } from '../../rules/index.js';
import { duckdb } from '../../rules/sql/index.js';
import { ISO_DATE } from '../../rules/sql/patterns.js';
import { startTestPostgres, type TestPostgres } from '../support/postgres.js';
import { STANDARD_CAMPAIGN as CAMPAIGN, runCampaign } from './campaign.js';
import { type Contender, compiled, reference, sqlContender } from './compare.js';
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

test('every engine gives the same answers', async (t) => {
  const { counts, disagreements } = await runCampaign(CAMPAIGN, [compiled, ...engines.map(sqlContender)]);
  assert.deepEqual(disagreements, []);
  t.diagnostic(JSON.stringify(counts));
  // A generator that only makes rules without effect would prove nothing.
  assert.equal(counts.rules, CAMPAIGN.rules);
  const all = counts.true + counts.false + counts.unknown;
  assert.equal(all, CAMPAIGN.rules * CAMPAIGN.rows);
  assert.ok(counts.true / all > 0.25, `true: ${counts.true} of ${all}`);
  assert.ok(counts.false / all > 0.25, `false: ${counts.false} of ${all}`);
  assert.ok(counts.unknown / all > 0.08, `unknown: ${counts.unknown} of ${all}`);
  assert.ok(counts.constantRules / counts.rules < 0.25, `constant: ${counts.constantRules} rules`);
});

/** An engine with a mistake, which the test above would have to find. */
interface Mistake {
  readonly name: string;
  readonly contender: () => Promise<Contender>;
}

const wrongEvaluator = (name: string, change: (truth: Truth, text: string) => Truth): Mistake => ({
  name,
  contender: async () => ({
    ...reference,
    name,
    evaluate: async (world, rules) => {
      const truths = await reference.evaluate(world, rules);
      return truths.map((ofRule, number) => ofRule.map((truth) => change(truth, rules[number]?.text ?? '')));
    },
  }),
});

const wrongDuckdb = (name: string, dialect: Partial<typeof duckdb> | object): Mistake => ({
  name,
  contender: async () => sqlContender(await openDuckdb({ ...duckdb, ...dialect })),
});

const MISTAKES: readonly Mistake[] = [
  wrongEvaluator('NOT IN of two values', (truth, text) =>
    truth === null && text.includes('"NOT IN"') ? true : truth,
  ),
  wrongEvaluator('unknown taken for false', (truth) => truth ?? false),
  wrongDuckdb('a prefix that is a pattern', {
    startsWith: (text: string, prefix: string) => `${text} LIKE (${prefix} || '%')`,
  }),
  wrongDuckdb('numbers as doubles', {
    decimal: (unscaled: bigint, { scale }: { scale: number }) => `CAST('${unscaled}e-${scale}' AS DOUBLE)`,
  }),
  wrongDuckdb('texts compared as texts for numbers', { numberOfText: (text: string) => text }),
  wrongDuckdb('local times a microsecond late', {
    localTimestamp: (micros: bigint) => duckdb.localTimestamp(micros + 1n),
  }),
  wrongDuckdb('texts cast unseen', { matches: () => 'TRUE' }),
  wrongDuckdb('any text of the shape of a date', {
    matches: (text: string, pattern: string) =>
      duckdb.matches(text, pattern === ISO_DATE ? '[0-9]{4}-[0-9]{2}-[0-9]{2}' : pattern),
  }),
];

for (const { name, contender } of MISTAKES) {
  test(`a mistake is found and shrunk: ${name}`, async () => {
    const { disagreements } = await runCampaign({ ...CAMPAIGN, rows: 50 }, [await contender()]);
    assert.equal(disagreements.length, 1);
    assert.match(
      disagreements[0] ?? '',
      /npm run test:differential -- --rules 2000 --rows 50 --seed 20261123/,
    );
    assert.match(disagreements[0] ?? '', /"rule":\{/);
  });
}
