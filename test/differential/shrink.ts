/** From a disagreement to the smallest one like it: fewer conditions, operands, characters and tags. */
import { formatDate, formatInstant, type Row } from '../../rules/index.js';
import { type Contender, compareRules, type Disagreement, noCounts } from './compare.js';
import { checkIn, type World } from './generate-world.js';
import { formatRule, type GeneratedRule } from './rule-json.js';

export interface Shrunk {
  readonly world: World;
  readonly disagreement: Disagreement;
}

/** Each step asks the engine again. */
const MAX_TRIES = 600;

export async function shrink(world: World, found: Disagreement, contender: Contender): Promise<Shrunk> {
  const row = world.rows[found.rowNumber];
  if (row === undefined) throw new Error(`There is no row ${found.rowNumber}.`);
  let best: Shrunk = { world: { ...world, rows: [row] }, disagreement: { ...found, rowNumber: 0 } };
  let tries = 0;
  const accepts = async (candidate: World, rule: GeneratedRule): Promise<boolean> => {
    tries += 1;
    const valid = checkIn(candidate, rule);
    if (valid === null) return false;
    // What is left of a text may be nothing that a native column can hold.
    const isLoaded = await contender.load(candidate).then(
      () => true,
      () => false,
    );
    if (!isLoaded) return false;
    const [disagreement] = await compareRules(candidate, [valid], [contender], noCounts());
    if (disagreement === undefined) return false;
    best = { world: candidate, disagreement };
    return true;
  };
  const improve = async (): Promise<boolean> => {
    const { rule } = best.disagreement.rule;
    for (const smaller of smallerRules(rule, best.world.crowds)) {
      if (tries < MAX_TRIES && (await accepts(best.world, smaller))) return true;
    }
    for (const row of smallerRows(best.world.rows[0] ?? new Map())) {
      if (tries < MAX_TRIES && (await accepts({ ...best.world, rows: [row] }, rule))) return true;
    }
    return false;
  };
  while (tries < MAX_TRIES && (await improve()));
  return best;
}

/** One step smaller, the greatest steps first. */
function* smallerRules(
  rule: GeneratedRule,
  crowds: ReadonlyMap<string, GeneratedRule>,
): Generator<GeneratedRule> {
  if ('logic' in rule) {
    yield* rule.conditions;
    for (const [index, condition] of rule.conditions.entries()) {
      if (rule.conditions.length > 1) yield { ...rule, conditions: rule.conditions.toSpliced(index, 1) };
      for (const smaller of smallerRules(condition, crowds)) {
        yield { ...rule, conditions: rule.conditions.with(index, smaller) };
      }
    }
  } else if ('crowdCode' in rule) {
    const inside = crowds.get(rule.crowdCode);
    if (inside !== undefined) yield inside;
  } else {
    const isList = rule.op === 'IN' || rule.op === 'NOT IN';
    for (const [index, value] of rule.values.entries()) {
      if (isList && rule.values.length > 1) yield { ...rule, values: rule.values.toSpliced(index, 1) };
      for (const shorter of shorterJson(value)) yield { ...rule, values: rule.values.with(index, shorter) };
    }
  }
}

function* shorterJson(json: string): Generator<string> {
  if (json.startsWith('"')) {
    for (const shorter of shorterTexts(JSON.parse(json))) yield JSON.stringify(shorter);
  } else if (/^-?[0-9]/.test(json)) {
    yield* shorterTexts(json);
  }
}

function* shorterTexts(text: string): Generator<string> {
  const characters = Array.from(text);
  const half = characters.length >> 1;
  if (half > 4) {
    yield characters.slice(0, half).join('');
    yield characters.slice(half).join('');
  }
  if (characters.length <= 60) {
    for (const index of characters.keys()) yield characters.toSpliced(index, 1).join('');
  }
}

function* smallerRows(row: Row): Generator<Row> {
  const held = [...row].filter(([, value]) => value !== null);
  if (row.size > held.length) yield new Map(held);
  for (const [code] of held) yield new Map(held.filter(([other]) => other !== code));
  if (held.length > 2) return;
  for (const [code, value] of held) {
    for (const shorter of shorterTexts(value ?? '')) yield new Map(held).set(code, shorter);
  }
}

/** What to print: how to see it again, and the case to add to test/spec/rules. */
export function describe({ world, disagreement }: Shrunk, command: string): string {
  const { contender, expected, answer, rule } = disagreement;
  const { tags, crowds, context, rows } = world;
  const { anchor } = context;
  const anchorJson =
    anchor === null
      ? null
      : anchor.kind === 'dt'
        ? { dt: formatDate(anchor.day) }
        : { at: formatInstant(anchor.micros) };
  const used = tags.filter(({ tag }) => usesTag(rule.rule, tag.code, crowds));
  const specCase = [
    `"name":"${contender} gives the reference's answer"`,
    `"zone":${JSON.stringify(context.zone)}`,
    `"anchor":${JSON.stringify(anchorJson)}`,
    `"tags":${JSON.stringify(used.map(({ fields }) => fields))}`,
    `"crowds":{${[...crowds].map(([code, crowd]) => `"${code}":${formatRule(crowd)}`).join(',')}}`,
    `"rule":${rule.text}`,
    `"rows":${JSON.stringify(rows.map((row) => ({ uid: 'u1', tags: Object.fromEntries(row), expect: expected })))}`,
  ];
  return [
    `${contender} ${answer instanceof Error ? `raises '${answer.message}'` : `says ${answer}`}, the reference says ${expected}.`,
    `Again: ${command}`,
    `As a spec case: {${specCase.join(',\n  ')}}`,
  ].join('\n');
}

function usesTag(rule: GeneratedRule, code: string, crowds: ReadonlyMap<string, GeneratedRule>): boolean {
  if ('logic' in rule) return rule.conditions.some((child) => usesTag(child, code, crowds));
  if ('crowdCode' in rule) return [...crowds.values()].some((crowd) => usesTag(crowd, code, crowds));
  return rule.tagCode === code;
}
