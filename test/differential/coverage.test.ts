/**
 * The campaign that every `npm test` runs is worth what it tries. This replays its worlds, without engines, and asks that
 * every operator meets every type, column and format with each truth that it can have, and that what engines trip over
 * turns up among literals and among values.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MICROS_PER_DAY, MICROS_PER_SECOND } from '../../rules/civil.js';
import {
  type CheckedRule,
  createTag,
  type EvaluationContext,
  evaluateRule,
  getZone,
  OPERATORS_OF_TYPE,
  type Operand,
  type RuleNode,
  type Tag,
  type TagCondition,
  type TagOperator,
  type Truth,
  type Zone,
} from '../../rules/index.js';
import { decodeValue, isDayTag } from '../../rules/value.js';
import { STANDARD_CAMPAIGN as CAMPAIGN, RULES_PER_WORLD } from './campaign.js';
import { type World, WorldGenerator } from './generate-world.js';

const SOURCE_TYPES = [
  ...['TEXT', 'TINYINT', 'SMALLINT', 'INT', 'BIGINT', 'DECIMAL(10,2)', 'DECIMAL'],
  ...['BOOLEAN', 'DATE', 'TIMESTAMP', 'TIMESTAMPTZ'],
];
const VALUE_FORMATS = ['date', 'date:yyyymmdd', 'instant', 'instant:epoch_seconds', 'instant:epoch_millis'];

const truths = new Map<string, Set<Truth>>();
const seen = new Map<string, number>();

const TEXT_FEATURES: Readonly<Record<string, (text: string) => boolean>> = {
  'an empty text': (text) => text === '',
  'a quote': (text) => text.includes("'"),
  'a double quote': (text) => text.includes('"'),
  'a backslash': (text) => text.includes('\\'),
  'an astral character': (text) => /[\u{10000}-\u{10ffff}]/u.test(text),
  'a percent sign': (text) => text.includes('%'),
  'an underscore': (text) => text.includes('_'),
  'a zero-width character': (text) => /\u200b|\u200d|\ufeff/.test(text),
  'a combining character': (text) => /\p{M}/u.test(text),
  'a control character': (text) => /\p{Cc}/u.test(text),
  'a trailing blank': (text) => text.endsWith(' '),
  'a letter whose case maps oddly': (text) => /[ßİıﬁ]/.test(text),
};
const NUMBER_FEATURES: Readonly<
  Record<string, (digits: string, scale: number, negative: boolean) => boolean>
> = {
  'a whole number of 38 digits': (digits, scale) => digits.length === 38 && scale === 0,
  'a number with 38 digits around the point': (digits, scale) =>
    digits.length === 38 && scale > 0 && scale < 38,
  'a number with 38 places': (_, scale) => scale === 38,
  'a negative number with places': (_, scale, negative) => negative && scale > 0,
  zero: (digits) => digits === '0',
};
const MOMENT_FEATURES: Readonly<Record<string, (micros: bigint, zone: Zone) => boolean>> = {
  'a moment at a change of offset': (micros, zone) => nearTransition(micros, zone, 0n),
  'a moment within an hour of a gap': (micros, zone) => nearTransition(micros, zone, 3_600n, 'gap'),
  'a moment within an hour of an overlap': (micros, zone) => nearTransition(micros, zone, 3_600n, 'overlap'),
  'a moment within an hour of a year end': (micros, zone) => isNearYearEnd(micros, zone),
  'a moment with microseconds': (micros) => micros % 1_000n !== 0n,
};

replay();

test('every operator meets every type, column and format, and comes out in every way that it can', (t) => {
  const missing: string[] = [];
  const combinations = listCombinations();
  for (const [key, wanted] of combinations) {
    for (const truth of wanted)
      if (!truths.get(key)?.has(truth)) missing.push(`${key}: ${truth ?? 'unknown'}`);
  }
  assert.deepEqual(missing, []);
  t.diagnostic(`${combinations.size} combinations`);
});

test('lists that are looked up rather than compared hold every type, column and format', () => {
  const keys = [...listCombinations().keys()].filter((key) => key.endsWith(' NOT IN'));
  const wanted = keys.map((key) => `long list: ${key.replace(' NOT IN', '')}`);
  assert.deepEqual(
    wanted.filter((name) => !seen.has(name)),
    [],
  );
});

test('every operator on datetimes meets days, moments and all relative values, from either anchor', () => {
  const missing: string[] = [];
  const kinds = {
    day: ['date', 'relative d'],
    moment: ['date', 'instant', 'relative d', 'relative h', 'relative m'],
  };
  for (const [tag, literals] of Object.entries(kinds)) {
    for (const op of OPERATORS_OF_TYPE.datetime) {
      if (op === 'IS NULL' || op === 'IS NOT NULL') continue;
      for (const literal of literals) {
        for (const anchor of literal.startsWith('relative') ? ['dt', 'at'] : ['any']) {
          const key = `${tag} ${op} ${literal} ${anchor}`;
          if (!seen.has(key)) missing.push(key);
        }
      }
    }
  }
  assert.deepEqual(missing, []);
});

test('what engines trip over is among literals and among values', () => {
  const names = [TEXT_FEATURES, NUMBER_FEATURES, MOMENT_FEATURES].flatMap(Object.keys);
  const wanted = names.flatMap((name) => [`${name} in a literal`, `${name} in a value`]);
  assert.deepEqual(
    wanted.filter((name) => (seen.get(name) ?? 0) < 5),
    [],
  );
});

test('rules are nested, and refer to crowds that refer to crowds', () => {
  const wanted = ['AND', 'OR', 'NOT', 'IN CROWD', 'NOT IN CROWD', 'crowd of a crowd', 'five levels'];
  assert.deepEqual(
    wanted.filter((name) => (seen.get(name) ?? 0) < 5),
    [],
  );
});

function replay(): void {
  const worlds = Math.ceil(CAMPAIGN.rules / RULES_PER_WORLD);
  for (let number = 0; number < worlds; number += 1) {
    const generator = new WorldGenerator(CAMPAIGN.seed, number, CAMPAIGN.rows);
    const { world } = generator;
    noteValues(world);
    const conditions = new Set<TagCondition>();
    for (let count = 0; count < RULES_PER_WORLD; count += 1) {
      for (const condition of noteRule(generator.generateRule().checked)) conditions.add(condition);
    }
    for (const condition of conditions) noteCondition(condition, world);
  }
}

function note(name: string): void {
  seen.set(name, (seen.get(name) ?? 0) + 1);
}

/** Type, column, format and operator; the widths of decimals are taken together. */
function keyOf({ type, column, format }: Tag, op?: TagOperator): string {
  const columnName = column.kind === 'integer' ? `integer(${column.bits})` : column.kind;
  return [type, columnName, format, op].filter((part) => typeof part === 'string').join(' ');
}

/** All that a tag may be, for each operator; with the truths that can be. */
function listCombinations(): ReadonlyMap<string, readonly Truth[]> {
  const combinations = new Map<string, readonly Truth[]>();
  for (const tag_type of ['enum', 'numeric', 'boolean', 'datetime'] as const) {
    for (const source_type of SOURCE_TYPES) {
      for (const value_format of [null, ...VALUE_FORMATS]) {
        const created = createTag({ tag_code: 'x', tag_type, source_type, value_format });
        if (!created.ok) continue;
        for (const op of OPERATORS_OF_TYPE[tag_type]) {
          combinations.set(keyOf(created.value, op), truthsOf(created.value, op));
        }
      }
    }
  }
  return combinations;
}

function truthsOf({ column, format }: Tag, op: TagOperator): readonly Truth[] {
  // No day of the calendar fits into 8 bits.
  const isAlwaysNull = format === 'date:yyyymmdd' && column.kind === 'integer' && column.bits === 8;
  if (op === 'IS NULL') return isAlwaysNull ? [true] : [true, false];
  if (op === 'IS NOT NULL') return isAlwaysNull ? [false] : [true, false];
  return isAlwaysNull ? [null] : [true, false, null];
}

/** Notes the rule's groups and crowds; its conditions, with those of its crowds. */
function noteRule({ root, crowds }: CheckedRule): readonly TagCondition[] {
  const conditions: TagCondition[] = [];
  const visit = (node: RuleNode, level: number, inCrowd: boolean): void => {
    if (level === 5) note('five levels');
    switch (node.kind) {
      case 'tag':
        conditions.push(node);
        if (node.operands.length >= 100) {
          note(`long list: ${keyOf(node.tag)}`);
        }
        break;
      case 'crowd':
        note(node.negated ? 'NOT IN CROWD' : 'IN CROWD');
        if (inCrowd) note('crowd of a crowd');
        break;
      case 'not':
        note('NOT');
        visit(node.child, level + 1, inCrowd);
        break;
      default:
        note(node.kind.toUpperCase());
        for (const child of node.children) visit(child, level + 1, inCrowd);
    }
  };
  visit(root, 1, false);
  for (const node of crowds.values()) visit(node, 1, true);
  return conditions;
}

function noteCondition(condition: TagCondition, { rows, context }: World): void {
  const key = keyOf(condition.tag, condition.op);
  const found = truths.get(key) ?? new Set();
  truths.set(key, found);
  const rule: CheckedRule = { root: condition, crowds: new Map() };
  for (const row of rows) {
    if (found.size === 3) break;
    found.add(evaluateRule(rule, row, context));
  }
  for (const operand of condition.operands) noteOperand(operand, condition, context);
}

function noteOperand(operand: Operand, { tag, op }: TagCondition, { zone, anchor }: EvaluationContext): void {
  if (tag.type === 'datetime') {
    const kind =
      operand.kind === 'relative' ? `relative ${operand.unit} ${anchor?.kind}` : `${operand.kind} any`;
    note(`${isDayTag(tag) ? 'day' : 'moment'} ${op} ${kind}`);
  }
  if (operand.kind === 'string') noteText(operand.value, 'literal');
  else if (operand.kind === 'decimal') noteNumber(operand.value, 'literal');
  else if (operand.kind === 'instant') noteMoment(operand.micros, getZone(zone), 'literal');
}

function noteValues({ tags, rows, context }: World): void {
  const zone = getZone(context.zone);
  for (const { tag } of tags) {
    for (const row of rows) {
      const value = decodeValue(tag, row.get(tag.code), zone);
      if (typeof value === 'string') noteText(value, 'value');
      else if (typeof value === 'bigint') noteMoment(value, zone, 'value');
      else if (typeof value === 'object' && value !== null) noteNumber(value, 'value');
    }
  }
}

function noteText(text: string, where: string): void {
  for (const [name, has] of Object.entries(TEXT_FEATURES)) if (has(text)) note(`${name} in a ${where}`);
}

function noteNumber({ unscaled, scale }: { unscaled: bigint; scale: number }, where: string): void {
  const digits = String(unscaled).replace('-', '');
  for (const [name, has] of Object.entries(NUMBER_FEATURES)) {
    if (has(digits, scale, unscaled < 0n)) note(`${name} in a ${where}`);
  }
}

function noteMoment(micros: bigint, zone: Zone, where: string): void {
  for (const [name, has] of Object.entries(MOMENT_FEATURES))
    if (has(micros, zone)) note(`${name} in a ${where}`);
}

function nearTransition(micros: bigint, zone: Zone, seconds: bigint, kind?: 'gap' | 'overlap'): boolean {
  const reach = seconds * MICROS_PER_SECOND;
  const from = Number((micros - reach) / MICROS_PER_SECOND);
  const to = Number((micros + reach) / MICROS_PER_SECOND) + 1;
  return zone.transitionsBetween(from, to).some(({ before: earlier, after: later, atSeconds }) => {
    const distance = BigInt(atSeconds) * MICROS_PER_SECOND - micros;
    const isKind = kind === undefined || (kind === 'gap') === later > earlier;
    return isKind && distance <= reach && -distance <= reach;
  });
}

function isNearYearEnd(micros: bigint, zone: Zone): boolean {
  const local = zone.localOfInstant(micros);
  const hour = MICROS_PER_DAY / 24n;
  const yearOf = (time: bigint) => new Date(Number(time / 1_000n)).getUTCFullYear();
  return yearOf(local - hour) !== yearOf(local + hour);
}
