/**
 * The rule language. First the compiled evaluator beside the reference evaluator, in
 * turns over the same rules and rows; then 10,000 rules from JSON text to SQL. CPU is user and system time of the process.
 */

import type { EvaluationContext, RuleNode } from '../rules/ast.js';
import {
  CompiledRules,
  checkRule,
  evaluateRule,
  parseTags,
  RuleChecker,
  resolveRule,
} from '../rules/index.js';
import { compileToSql, duckdb, postgres } from '../rules/sql/index.js';

const ROWS = 1_000;
const ROUNDS = 7;
const PASSES_PER_ROUND = 200;
const RULES = 10_000;
const CONTEXT: EvaluationContext = { zone: 'Asia/Shanghai', anchor: { kind: 'dt', day: 20_000 } };

/** xorshift32: the same numbers in every run. */
let state = 2_463_534_242;
function random(below: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}

const parsedTags = parseTags(
  JSON.stringify([
    { tag_code: 'age', tag_type: 'numeric', source_type: 'INT' },
    { tag_code: 'spent', tag_type: 'numeric', source_type: 'DECIMAL(10,2)' },
    { tag_code: 'score', tag_type: 'numeric', source_type: 'STRING' },
    { tag_code: 'city', tag_type: 'enum' },
    { tag_code: 'vip', tag_type: 'boolean', source_type: 'BOOLEAN' },
    { tag_code: 'born', tag_type: 'datetime', source_type: 'DATE' },
    { tag_code: 'seen', tag_type: 'datetime', source_type: 'TIMESTAMP' },
  ]),
);
if (!parsedTags.ok) throw new Error('The tags of the bench have errors.');
const environment = { tags: parsedTags.value, crowds: new Map<string, string>(), zone: CONTEXT.zone };
const CITIES = ['北京', '上海', '广州', '深圳', '杭州', '成都', '武汉', '西安'];

const two = (value: number): string => String(value).padStart(2, '0');
const day = (): string => `20${10 + random(15)}-${two(1 + random(12))}-${two(1 + random(28))}`;
const orNull = (value: string): string | null => (random(20) === 0 ? null : value);
const rows = Array.from(
  { length: ROWS },
  () =>
    new Map([
      ['age', orNull(String(random(90)))],
      ['spent', orNull(`${random(1_000)}.${two(random(100))}`)],
      // Beyond what a double tells apart: every comparison of equal doubles goes to the exact parts.
      ['score', orNull(`0.1000000000000000000000000${random(1_000)}`)],
      ['city', orNull(CITIES[random(CITIES.length)] ?? '')],
      ['vip', orNull(String(random(2) === 0))],
      ['born', orNull(day())],
      ['seen', orNull(`${day()} ${two(random(24))}:${two(random(60))}:00`)],
    ]),
);

function condition(): unknown {
  switch (random(9)) {
    case 0:
      return { tag_code: 'age', op: '>', value: random(90) };
    case 1:
      return { tag_code: 'spent', op: 'BETWEEN', value: [random(500), 500 + random(500)] };
    case 2:
      return { tag_code: 'spent', op: '<=', value: random(100_000) / 100 };
    case 3:
      return { tag_code: 'age', op: 'NOT IN', value: [random(90), random(90), random(90)] };
    case 4:
      return { tag_code: 'city', op: 'IN', value: [CITIES[random(8)], CITIES[random(8)]] };
    case 5:
      return { tag_code: 'city', op: '!=', value: CITIES[random(8)] };
    case 6:
      return { tag_code: 'vip', op: '=', value: random(2) === 0 };
    case 7:
      return { tag_code: 'born', op: '>=', value: { relative: `-${random(5_000)}d` } };
    default:
      return { tag_code: 'seen', op: '<', value: day() };
  }
}

/** Five leaves: (a and b and not c) or (d and e). */
function rule(): unknown {
  const not = { logic: 'NOT', conditions: [condition()] };
  return {
    logic: 'OR',
    conditions: [
      { logic: 'AND', conditions: [condition(), condition(), not] },
      { logic: 'AND', conditions: [condition(), condition()] },
    ],
  };
}

function prepare(source: unknown) {
  const checked = checkRule(JSON.stringify(source), environment);
  if (!checked.ok) throw new Error('A rule of the bench has errors.');
  const resolved = resolveRule(checked.value, CONTEXT);
  if (!resolved.ok) throw new Error('A rule of the bench cannot be resolved.');
  return { checked: checked.value, resolved: resolved.value };
}

/** How many leaves the compiled evaluator reads for a row: it stops where the outcome is settled. */
function countLeaves(
  node: RuleNode,
  row: ReadonlyMap<string, string | null>,
): { truth: boolean | null; leaves: number } {
  if (node.kind === 'not') {
    const { truth, leaves } = countLeaves(node.child, row);
    return { truth: truth === null ? null : !truth, leaves };
  }
  if (node.kind === 'tag' || node.kind === 'crowd') {
    return { truth: evaluateRule({ root: node, crowds: new Map() }, row, CONTEXT), leaves: 1 };
  }
  let total = 0;
  let truth: boolean | null = node.kind === 'and';
  for (const child of node.children) {
    const { truth: one, leaves } = countLeaves(child, row);
    total += leaves;
    if (one === (node.kind === 'or')) return { truth: one, leaves: total };
    if (one === null) truth = null;
  }
  return { truth, leaves: total };
}

interface Figure {
  readonly seconds: number;
  readonly cpuMicros: number;
}

function measure(work: () => void): Figure {
  const cpu = process.cpuUsage();
  const start = performance.now();
  work();
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuMicros: user + system };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

function compare(name: string, sources: readonly unknown[]): void {
  const prepared = sources.map(prepare);
  const compiled = new CompiledRules(prepared.map(({ resolved }) => resolved));
  const decoded = rows.map((row) => compiled.decodeRow(row));
  const leaves = prepared.reduce(
    (sum, { checked }) =>
      sum + rows.reduce((inRule, row) => inRule + countLeaves(checked.root, row).leaves, 0),
    0,
  );
  let trueByCompiled = 0;
  let trueByReference = 0;
  const rates: number[] = [];
  const cpuNanos: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const fast = measure(() => {
      for (let pass = 0; pass < PASSES_PER_ROUND; pass += 1) {
        for (let index = 0; index < prepared.length; index += 1) {
          for (const row of decoded) if (compiled.evaluate(index, row) === true) trueByCompiled += 1;
        }
      }
    });
    const slow = measure(() => {
      for (const { checked } of prepared) {
        for (const row of rows) if (evaluateRule(checked, row, CONTEXT) === true) trueByReference += 1;
      }
    });
    rates.push((leaves * PASSES_PER_ROUND) / fast.seconds);
    cpuNanos.push((fast.cpuMicros * 1_000) / (leaves * PASSES_PER_ROUND));
    ratios.push((slow.seconds * PASSES_PER_ROUND) / fast.seconds);
  }
  if (trueByCompiled !== trueByReference * PASSES_PER_ROUND) throw new Error('The evaluators disagree.');
  console.log(
    `${name}: ${(median(rates) / 1e6).toFixed(1)} M leaves/s, ${median(cpuNanos).toFixed(1)} ns CPU a leaf; ` +
      `${median(ratios).toFixed(0)} times the reference evaluator, which also decodes`,
  );
}

console.log(`Compiled evaluator, decoded rows, ${ROWS} rows, median of ${ROUNDS} rounds:`);
compare('50 rules of all types', Array.from({ length: 50 }, rule));
compare('decimal =', [{ tag_code: 'spent', op: '=', value: 12.34 }]);
compare('decimals that doubles do not tell apart', [{ tag_code: 'score', op: '>', value: 0.1 }]);

{
  const compiled = new CompiledRules(
    Array.from({ length: 50 }, rule).map((source) => prepare(source).resolved),
  );
  const { seconds, cpuMicros } = measure(() => {
    for (let pass = 0; pass < 100; pass += 1) for (const row of rows) compiled.decodeRow(row);
  });
  const count = 100 * ROWS;
  console.log(
    `decoding a row of ${compiled.tags.length} tags: ${((seconds * 1e6) / count).toFixed(2)} µs, ${(cpuMicros / count).toFixed(2)} µs CPU`,
  );
}

console.log(`\n${RULES} rules of five conditions from JSON text:`);
const texts = Array.from({ length: RULES }, () => JSON.stringify(rule()));
for (const dialect of [duckdb, postgres]) {
  const checker = new RuleChecker(environment);
  const checking = measure(() => {
    for (const text of texts) if (!checker.checkRule(text).ok) throw new Error('A rule has errors.');
  });
  let characters = 0;
  const all = measure(() => {
    for (const text of texts) {
      const checked = checker.checkRule(text);
      const sql = checked.ok ? compileToSql(checked.value, CONTEXT, dialect) : checked;
      if (!sql.ok) throw new Error('A rule has errors.');
      characters += sql.value.length;
    }
  });
  console.log(
    `${dialect.name}: parsed and checked ${checking.seconds.toFixed(2)} s; parsed, checked and compiled to SQL ` +
      `${all.seconds.toFixed(2)} s, ${(all.cpuMicros / RULES).toFixed(0)} µs CPU a rule, ${(characters / RULES).toFixed(0)} characters each`,
  );
}
