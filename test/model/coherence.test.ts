/**
 * The promises at the head of world.ts, over many schedules. `SCHEDULES=1000000 SEED=5` asks for more, or for others;
 * a failure names its seed, and `SCHEDULES=1 SEED=…` plays it again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSchedules } from './campaign.js';
import { MUTATIONS } from './mutations.js';

const SCHEDULES = Number(process.env.SCHEDULES ?? 100_000);
const SEED = Number(process.env.SEED ?? 1);
/** Schedules in which a deliberate bug must be found. */
const ENOUGH_FOR_A_BUG = 50_000;

test('no answer is older than what was told, in any schedule', async () => {
  const { wrong, counts, schedules } = await runSchedules(SEED, SCHEDULES);
  assert.equal(wrong, undefined);
  console.log(`${schedules} schedules: ${JSON.stringify(counts)}`);
  // The schedules do reach what this is about.
  if (SCHEDULES < 1_000) return;
  for (const [what, count] of Object.entries(counts)) assert.ok(count > schedules / 50, `${what}: ${count}`);
});

for (const mutation of MUTATIONS) {
  test(`a bug is found: ${mutation.name}`, async () => {
    const { wrong, schedules } = await runSchedules(SEED, ENOUGH_FOR_A_BUG, mutation);
    assert.ok(wrong !== undefined, `not found in ${schedules} schedules`);
    console.log(`found within ${schedules} schedules: ${wrong}`);
  });
}
