/** A world: a zone, an anchor, tags, crowds and rows, and as many rules over them as are asked for. */
import {
  type Anchor,
  type CheckedRule,
  type EvaluationContext,
  getZone,
  type ResolvedRule,
  type Row,
  RuleChecker,
  resolveRule,
  type Tag,
  type TagOperator,
} from '../../rules/index.js';
import { type GeneratedTag, generateTags } from './generate-tags.js';
import { Random } from './random.js';
import { formatRule, type GeneratedCondition, type GeneratedRule } from './rule-json.js';

/**
 * Gaps and overlaps at midnight, across it, at other hours, of half an hour and of seconds; a day left out, and one that
 * comes twice; summer times long gone, and those that follow the moon.
 */
export const ZONES = [
  'Asia/Shanghai',
  'America/New_York',
  'America/Sao_Paulo',
  'Europe/London',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'America/Havana',
  'Africa/Casablanca',
  'UTC',
  'America/St_Johns',
  'Asia/Manila',
  'America/Juneau',
  'Africa/Monrovia',
  'Asia/Beirut',
  'Pacific/Kiritimati',
] as const;

export interface World {
  readonly context: EvaluationContext;
  readonly tags: readonly GeneratedTag[];
  /** Each may refer to those before it. */
  readonly crowds: ReadonlyMap<string, GeneratedRule>;
  readonly rows: readonly Row[];
}

/** A rule that is valid in its world. */
export interface WorldRule {
  readonly rule: GeneratedRule;
  readonly text: string;
  readonly checked: CheckedRule;
  readonly resolved: ResolvedRule;
}

/** What a condition is made of, its values apart. */
interface Card {
  readonly tag: GeneratedTag;
  readonly op: TagOperator;
  /** Of IN and NOT IN: so many that engines look values up. */
  readonly isLong: boolean;
}

const CROWDS = 4;
const LONG_LIST = 150;
/** Each tag has a card for a long list in every fourth world, since they are slow. */
const LONG_LIST_EVERY = 4;
/** The checker refuses bounds that are inverted and relative values that leave the calendar. */
const MAX_DRAFTS = 50;
const NULL_SHARE = 0.1;

export class WorldGenerator {
  readonly world: World;
  readonly #random: Random;
  readonly #number: number;
  /** Every operator of every tag once, so that none is left to luck. */
  #deck: Card[] = [];
  #checker: RuleChecker;

  constructor(seed: number, number: number, rowCount: number) {
    const random = new Random(Math.imul(seed, 1_000_003) + number);
    this.#random = random;
    this.#number = number;
    const zone = getZone(ZONES[number % ZONES.length] ?? 'UTC');
    const anchor = pickAnchor(random);
    const tags = generateTags(random, zone, anchor);
    const crowds = new Map<string, GeneratedRule>();
    const context = { zone: zone.name, anchor };
    this.world = { context, tags, crowds, rows: [] };
    this.#checker = createChecker(this.world);
    while (crowds.size < CROWDS) {
      crowds.set(`crowd_${crowds.size}`, this.#generateNode(2));
      this.#checker = createChecker(this.world);
    }
    const rows = Array.from({ length: rowCount }, () => this.#generateRow());
    this.world = { ...this.world, rows };
  }

  generateRule(): WorldRule {
    const rule = this.#generateNode(this.#random.pick([0, 1, 1, 2, 2, 3, 5]));
    const valid = checkWith(this.#checker, this.world.context, rule);
    if (valid === null) throw new Error(`Each condition is valid, and the rule is not: ${formatRule(rule)}`);
    return valid;
  }

  #generateRow(): Row {
    const row = new Map<string, string | null>();
    for (const { tag, raw } of this.world.tags) {
      row.set(tag.code, this.#random.chance(NULL_SHARE) ? null : raw());
    }
    return row;
  }

  #generateNode(depth: number): GeneratedRule {
    const random = this.#random;
    if (depth === 0) {
      const crowds = [...this.world.crowds.keys()];
      if (crowds.length > 0 && random.chance(0.1)) {
        return { crowdCode: random.pick(crowds), negated: random.chance(0.5) };
      }
      return this.#generateCondition();
    }
    const deeper = () => this.#generateNode(random.chance(0.6) ? depth - 1 : 0);
    if (random.chance(0.2)) return { logic: 'NOT', conditions: [deeper()] };
    return { logic: random.pick(['AND', 'OR']), conditions: random.list(1, 4, deeper) };
  }

  #generateCondition(): GeneratedCondition {
    for (;;) {
      const card = this.#draw();
      for (let drafts = 0; drafts < MAX_DRAFTS; drafts += 1) {
        const condition = this.#draftCondition(card);
        if (checkWith(this.#checker, this.world.context, condition) !== null) return condition;
      }
    }
  }

  #draw(): Card {
    const card = this.#deck.pop();
    if (card !== undefined) return card;
    this.#deck = this.#random.shuffle(
      this.world.tags.flatMap((tag, index) => {
        const cards = tag.operators.map((op): Card => ({ tag, op, isLong: false }));
        const hasLong = tag.operators.includes('IN') && (index + this.#number) % LONG_LIST_EVERY === 0;
        return hasLong ? [...cards, { tag, op: this.#random.pick(['IN', 'NOT IN']), isLong: true }] : cards;
      }),
    );
    return this.#draw();
  }

  #draftCondition({ tag: { tag, literal }, op, isLong }: Card): GeneratedCondition {
    const random = this.#random;
    const values = (count: number) => Array.from({ length: count }, literal);
    switch (op) {
      case 'IS NULL':
      case 'IS NOT NULL':
        return { tagCode: tag.code, op, values: [] };
      case 'BETWEEN':
      case 'NOT BETWEEN':
        return { tagCode: tag.code, op, values: values(2) };
      case 'IN':
      case 'NOT IN':
        return { tagCode: tag.code, op, values: values(isLong ? LONG_LIST : random.between(1, 5)) };
      default:
        return { tagCode: tag.code, op, values: values(1) };
    }
  }
}

function pickAnchor(random: Random): Anchor {
  const year = random.pick([1949, 1986, 1998, 2011, 2018, 2024]);
  const day = Math.floor(Date.UTC(year, random.int(12), random.between(1, 31)) / 86_400_000);
  return random.chance(0.5)
    ? { kind: 'dt', day }
    : { kind: 'at', micros: BigInt(day) * 86_400_000_000n + BigInt(random.int(86_400)) * 1_000_000n };
}

export function createChecker({
  tags,
  crowds,
  context,
}: Pick<World, 'tags' | 'crowds' | 'context'>): RuleChecker {
  const byCode = new Map<string, Tag>(tags.map(({ tag }) => [tag.code, tag]));
  const texts = new Map([...crowds].map(([code, rule]) => [code, formatRule(rule)]));
  return new RuleChecker({ tags: byCode, crowds: texts, zone: context.zone });
}

/** The rule, checked and resolved; null where it is not valid. */
export function checkIn(world: World, rule: GeneratedRule): WorldRule | null {
  return checkWith(createChecker(world), world.context, rule);
}

function checkWith(checker: RuleChecker, context: EvaluationContext, rule: GeneratedRule): WorldRule | null {
  const text = formatRule(rule);
  const checked = checker.checkRule(text);
  if (!checked.ok) return null;
  const resolved = resolveRule(checked.value, context);
  return resolved.ok ? { rule, text, checked: checked.value, resolved: resolved.value } : null;
}
