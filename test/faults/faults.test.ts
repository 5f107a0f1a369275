/**
 * The gateway while its back ends die, stand still and lose their network. The short form is part of `npm test`; all:
 *
 *   npm run test:faults
 *   npm run test:faults -- Redis        those whose name has it; SEED=7 before it for other users and moments
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { reportOf } from './report.js';
import { Rig } from './rig.js';
import { SCENES } from './scenes.js';

const SEED = Number(process.env.SEED ?? 20_261_123);
const WANTED = process.env.FAULTS;
const LOAD = { gateways: 2, perSecond: 400, seed: SEED };
const CALM_BEFORE_MS = 2_000;
/** To come back, and to be seen to have. */
const WATCHED_AFTER_MS = 12_000;

/** What is wanted; a machine that has other work beside `npm test` is only asked whether it comes back at all. */
const [ANSWERED_OF_STEADY, RECOVERED_WITHIN_MS] =
  WANTED === undefined ? [0.99, WATCHED_AFTER_MS] : [0.999, 10_000];
const MAX_RESIDENT_MIB = 1_024;

const scenes = SCENES.filter(({ name, isShort }) => {
  if (WANTED === undefined) return isShort === true;
  return WANTED === 'all' || name.includes(WANTED);
});

/** Of a gateway's main process and its workers. */
function residentMib(pid: number): number {
  const rss = execFileSync('ps', ['-o', 'rss=', '-p', String(pid), '--ppid', String(pid)], {
    encoding: 'utf8',
  });
  return (
    rss
      .trim()
      .split(/\s+/)
      .reduce((sum, kib) => sum + Number(kib), 0) / 1_024
  );
}

describe(`faults, seed ${SEED}`, { timeout: 3_600_000 }, () => {
  let rig: Rig;
  before(async () => {
    rig = await Rig.start(LOAD);
  });
  after(() => rig?.stop());

  for (const scene of scenes) {
    it(scene.name, async (t) => {
      await sleep(CALM_BEFORE_MS);
      const struckMs = Date.now();
      await scene.strike(rig);
      await sleep(scene.forMs);
      await scene.mend(rig);
      const mendedMs = Date.now();
      await sleep(WATCHED_AFTER_MS);
      const report = reportOf(rig.load.observations, { struckMs, mendedMs, endedMs: Date.now() });
      t.diagnostic(JSON.stringify(report));
      assert.equal(report.wrong, 0, report.firstWrong);
      if (scene.isGatewayHurt !== true) {
        assert.ok(
          report.steadyAnswered >= ANSWERED_OF_STEADY,
          `answered ${report.steadyAnswered}; ${report.firstFailure}`,
        );
      }
      assert.ok(report.recoveredMs <= RECOVERED_WITHIN_MS, `recovered after ${report.recoveredMs} ms`);
      for (const { child } of rig.gateways) assert.ok(residentMib(child.pid ?? 0) < MAX_RESIDENT_MIB);
    });
  }
});
