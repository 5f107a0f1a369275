/** The differential test itself: worlds, rules and rows from a seed, through every contender. */
import { type Contender, compareRules, noCounts, type TruthCounts } from './compare.js';
import { WorldGenerator } from './generate-world.js';
import { describe, shrink } from './shrink.js';

export interface Campaign {
  readonly seed: number;
  readonly rules: number;
  readonly rows: number;
  /** The file of the test that it is of, where `npm run test:differential` would not repeat it. */
  readonly test?: string;
}

export interface Outcome {
  readonly counts: TruthCounts;
  /** Reports, ready to be read; none if all agree. */
  readonly disagreements: readonly string[];
}

/** The same in every run of `npm test`, so that a failure is nobody's bad luck; `npm run test:differential` takes others. */
export const STANDARD_CAMPAIGN: Campaign = { seed: 20_261_123, rules: 2_000, rows: 200 };

export const RULES_PER_WORLD = 125;
/** So many rules are columns of one statement; and no more truths than this are in memory at once, per contender. */
const MAX_RULES_AT_ONCE = 50;
const MAX_TRUTHS_AT_ONCE = 500_000;

/** Stops at the end of the first world in which a contender disagrees. */
export async function runCampaign(
  { seed, rules, rows, test }: Campaign,
  contenders: readonly Contender[],
  progress: (rulesDone: number, counts: TruthCounts) => void = () => undefined,
): Promise<Outcome> {
  const counts = noCounts();
  const disagreements: string[] = [];
  const atOnce = Math.max(1, Math.min(MAX_RULES_AT_ONCE, Math.floor(MAX_TRUTHS_AT_ONCE / rows)));
  for (let number = 0; counts.rules < rules && disagreements.length === 0; number += 1) {
    const generator = new WorldGenerator(seed, number, rows);
    const { world } = generator;
    for (const contender of contenders) await contender.load(world);
    const last = Math.min(rules, counts.rules + RULES_PER_WORLD);
    const failed = new Set<string>();
    while (counts.rules < last) {
      const batch = Array.from({ length: Math.min(atOnce, last - counts.rules) }, () =>
        generator.generateRule(),
      );
      const standing = contenders.filter(({ name }) => !failed.has(name));
      for (const found of await compareRules(world, batch, standing, counts)) {
        const contender = contenders.find(({ name }) => name === found.contender);
        if (contender === undefined) continue;
        failed.add(contender.name);
        const command =
          test === undefined
            ? `npm run test:differential -- --rules ${rules} --rows ${rows} --seed ${seed}`
            : `node scripts/test.mjs ${test}`;
        disagreements.push(describe(await shrink(world, found, contender), command));
      }
      progress(counts.rules, counts);
    }
  }
  return { counts, disagreements };
}
