/** Runs many schedules, side by side: those that wait for the end of a turn share it. */
import type { Mutation } from './mutations.js';
import { type Counts, noCounts, World } from './world.js';

/** Few enough that what they make dies young. */
const SIDE_BY_SIDE = 8;

export interface CampaignResult {
  readonly counts: Counts;
  readonly schedules: number;
  /** The first one found. */
  readonly wrong: string | undefined;
}

export async function runSchedules(
  firstSeed: number,
  schedules: number,
  mutation: Mutation = { name: 'none' },
): Promise<CampaignResult> {
  const counts = noCounts();
  // Failures are part of every schedule, and nobody reads where in the model they were made.
  Error.stackTraceLimit = 0;
  for (let done = 0; done < schedules; done += SIDE_BY_SIDE) {
    const seeds = Array.from(
      { length: Math.min(SIDE_BY_SIDE, schedules - done) },
      (_, i) => firstSeed + done + i,
    );
    const outcomes = await Promise.all(seeds.map((seed) => new World(seed, mutation, counts).run()));
    const wrong = outcomes.find((outcome) => outcome !== undefined);
    if (wrong !== undefined) return { counts, schedules: done + seeds.length, wrong };
  }
  return { counts, schedules, wrong: undefined };
}
