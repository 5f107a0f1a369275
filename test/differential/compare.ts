/** One rule, four engines, one answer: where they differ, and what the answers were. */
import { CompiledRules, evaluateRule, type Truth } from '../../rules/index.js';
import { compileToSql } from '../../rules/sql/index.js';
import type { SqlEngine } from './engines.js';
import type { World, WorldRule } from './generate-world.js';

/** Something that evaluates rules, and is compared with the reference. */
export interface Contender {
  readonly name: string;
  /** Called before rules of a world are evaluated, and again when its rows change. */
  load(world: World): Promise<void>;
  /** [rule][row] */
  evaluate(world: World, rules: readonly WorldRule[]): Promise<readonly (readonly Truth[])[]>;
}

export interface Disagreement {
  readonly contender: string;
  readonly rule: WorldRule;
  readonly rowNumber: number;
  readonly expected: Truth;
  /** An error where the contender raised one. */
  readonly answer: Truth | Error;
}

export interface TruthCounts {
  true: number;
  false: number;
  unknown: number;
  /** Rules that say the same of every row. */
  constantRules: number;
  rules: number;
}

export const reference: Contender = {
  name: 'reference',
  load: async () => undefined,
  evaluate: async ({ context, rows }, rules) =>
    rules.map(({ checked }) => rows.map((row) => evaluateRule(checked, row, context))),
};

export const compiled: Contender = {
  name: 'compiled',
  load: async () => undefined,
  evaluate: async ({ rows }, rules) => {
    const evaluator = new CompiledRules(rules.map(({ resolved }) => resolved));
    const truths: Truth[][] = rules.map(() => []);
    for (const row of rows) {
      const decoded = evaluator.decodeRow(row);
      for (const [number, ofRule] of truths.entries()) ofRule.push(evaluator.evaluate(number, decoded));
    }
    return truths;
  },
};

export function sqlContender(engine: SqlEngine): Contender {
  return {
    name: engine.dialect.name,
    load: ({ tags, rows }) => engine.load(tags, rows),
    evaluate: ({ context }, rules) => engine.evaluate(rules.map((rule) => sqlOf(rule, context, engine))),
  };
}

export function sqlOf({ checked }: WorldRule, context: World['context'], { dialect }: SqlEngine): string {
  const sql = compileToSql(checked, context, dialect);
  if (!sql.ok) throw new Error(`No ${dialect.name} SQL: ${sql.diagnostics[0]?.message}`);
  return sql.value;
}

export function noCounts(): TruthCounts {
  return { true: 0, false: 0, unknown: 0, constantRules: 0, rules: 0 };
}

/** The first disagreement of each contender, for rules of a world that is loaded; adds to the counts. */
export async function compareRules(
  world: World,
  rules: readonly WorldRule[],
  contenders: readonly Contender[],
  counts: TruthCounts,
): Promise<readonly Disagreement[]> {
  const expected = await reference.evaluate(world, rules);
  for (const truths of expected) count(truths, counts);
  const found: Disagreement[] = [];
  for (const contender of contenders) {
    const answers = await contender.evaluate(world, rules).catch(toError);
    const disagreement =
      answers instanceof Error
        ? await findError(contender, world, rules, expected, answers)
        : findDisagreement(contender.name, rules, expected, answers, world.rows.length);
    if (disagreement !== null) found.push(disagreement);
  }
  return found;
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Which rule and which row it is that a contender raises an error at. Leaves another world loaded. */
async function findError(
  contender: Contender,
  world: World,
  rules: readonly WorldRule[],
  expected: readonly (readonly Truth[])[],
  error: Error,
): Promise<Disagreement> {
  for (const [ruleNumber, rule] of rules.entries()) {
    if (!((await contender.evaluate(world, [rule]).catch(toError)) instanceof Error)) continue;
    let [from, to] = [0, world.rows.length];
    while (to - from > 1) {
      const middle = (from + to) >> 1;
      const half = { ...world, rows: world.rows.slice(from, middle) };
      await contender.load(half);
      const isInHalf = (await contender.evaluate(half, [rule]).catch(toError)) instanceof Error;
      [from, to] = isInHalf ? [from, middle] : [middle, to];
    }
    const truth = expected[ruleNumber]?.[from] ?? null;
    return { contender: contender.name, rule, rowNumber: from, expected: truth, answer: error };
  }
  throw new Error(`${contender.name} raises for rules together, and for none of them alone.`, {
    cause: error,
  });
}

function findDisagreement(
  contender: string,
  rules: readonly WorldRule[],
  expected: readonly (readonly Truth[])[],
  answers: readonly (readonly Truth[])[],
  rowCount: number,
): Disagreement | null {
  for (const [ruleNumber, rule] of rules.entries()) {
    const wanted = expected[ruleNumber] ?? [];
    const given = answers[ruleNumber] ?? [];
    if (wanted.length !== rowCount || given.length !== rowCount) {
      throw new Error(`${contender} answered for ${given.length} of ${rowCount} rows.`);
    }
    for (const [rowNumber, truth] of wanted.entries()) {
      const answer = given[rowNumber];
      if (answer === undefined) throw new Error(`${contender} has no answer for row ${rowNumber}.`);
      if (answer !== truth) return { contender, rule, rowNumber, expected: truth, answer };
    }
  }
  return null;
}

function count(truths: readonly Truth[], counts: TruthCounts): void {
  const [first] = truths;
  let isConstant = true;
  for (const truth of truths) {
    if (truth === true) counts.true += 1;
    else if (truth === false) counts.false += 1;
    else counts.unknown += 1;
    if (truth !== first) isConstant = false;
  }
  counts.rules += 1;
  if (isConstant) counts.constantRules += 1;
}
