/**
 * The promises at the head of world.ts, over many schedules. `SCHEDULES=1000000 SEED=5` asks for more, or for others;
 * a failure names its seed, and `node dist/test/model/run.js --schedules 1 --seed …` plays it again.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import type { CampaignResult } from './campaign.js';
import { MUTATIONS } from './mutations.js';

const SCHEDULES = Number(process.env.SCHEDULES ?? 100_000);
const SEED = Number(process.env.SEED ?? 1);
const PROCESSES = 2;
/** Schedules in which a deliberate bug must be found. */
const ENOUGH_FOR_A_BUG = 50_000;
const RUN = path.join(import.meta.dirname, 'run.js');

function run(schedules: number, seed: number, ...others: string[]): Promise<CampaignResult> {
  const args = [RUN, '--schedules', String(schedules), '--seed', String(seed), ...others];
  return new Promise((resolve, reject) => {
    // A schedule that is wrong is a result, not a failure of the command.
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (stdout === '') reject(new Error(stderr, { cause: error }));
      else resolve(JSON.parse(stdout) as CampaignResult);
    });
  });
}

test('no answer is older than what was told, in any schedule', async () => {
  const share = Math.ceil(SCHEDULES / PROCESSES);
  const results = await Promise.all(
    Array.from({ length: PROCESSES }, (_, i) => run(share, SEED + i * share)),
  );
  for (const { wrong, counts, schedules } of results) {
    assert.equal(wrong, undefined);
    console.log(`${schedules} schedules: ${JSON.stringify(counts)}`);
    // The schedules do reach what this is about.
    if (schedules < 1_000) continue;
    for (const [what, count] of Object.entries(counts))
      assert.ok(count > schedules / 50, `${what}: ${count}`);
  }
});

for (const { name } of MUTATIONS) {
  test(`a bug is found: ${name}`, async () => {
    const { wrong, schedules } = await run(ENOUGH_FOR_A_BUG, SEED, '--mutation', name);
    assert.ok(wrong !== undefined, `not found in ${schedules} schedules`);
    console.log(`found within ${schedules} schedules: ${wrong}`);
  });
}
