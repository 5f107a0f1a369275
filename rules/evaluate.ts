/**
 * The reference evaluator: what a rule means, in the most direct words. It is the oracle for every engine, so it is
 * written to be obviously right, not fast, and shares no step with the others that they could get wrong together.
 */
import type {
  Anchor,
  CheckedRule,
  EvaluationContext,
  Operand,
  RuleNode,
  TagCondition,
  Truth,
} from './ast.js';
import { MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE } from './civil.js';
import { type Decimal, MAX_DECIMAL_DIGITS } from './decimal.js';
import { decodeValue, isDayTag, type Row, type Value } from './value.js';
import { getZone, type Zone } from './zone.js';

/**
 * The rule's truth for a row. Throws where a relative value has no anchor: entrances call resolveRule first, which
 * reports that as a diagnostic.
 */
export function evaluateRule(rule: CheckedRule, row: Row, context: EvaluationContext): Truth {
  return new Evaluation(rule, row, context).truthOf(rule.root);
}

/** One rule on one row. */
export class Evaluation {
  readonly #row: Row;
  readonly #zone: Zone;
  readonly #anchor: Anchor | null;
  readonly #isInCrowd = new Map<string, boolean>();

  constructor(rule: CheckedRule, row: Row, { zone, anchor }: EvaluationContext) {
    this.#row = row;
    this.#zone = getZone(zone);
    this.#anchor = anchor;
    // They come in an order in which each finds those that it refers to.
    for (const [code, node] of rule.crowds) this.#isInCrowd.set(code, this.truthOf(node) === true);
  }

  truthOf(node: RuleNode): Truth {
    switch (node.kind) {
      case 'and': {
        const truths = node.children.map((child) => this.truthOf(child));
        return truths.includes(false) ? false : truths.includes(null) ? null : true;
      }
      case 'or': {
        const truths = node.children.map((child) => this.truthOf(child));
        return truths.includes(true) ? true : truths.includes(null) ? null : false;
      }
      case 'not':
        return not(this.truthOf(node.child));
      case 'crowd': {
        const isIn = this.#isInCrowd.get(node.crowdCode);
        if (isIn === undefined) throw new Error(`The rule of crowd ${node.crowdCode} is missing.`);
        return isIn !== node.negated;
      }
      case 'tag':
        return this.#truthOfCondition(node);
    }
  }

  /** The tag's value in this row. */
  valueOf({ tag }: TagCondition): Value | null {
    return decodeValue(tag, this.#row.get(tag.code), this.#zone);
  }

  #truthOfCondition(condition: TagCondition): Truth {
    const { op } = condition;
    const value = this.valueOf(condition);
    if (op === 'IS NULL') return value === null;
    if (op === 'IS NOT NULL') return value !== null;
    if (value === null) return null;
    const operands = this.operandsOf(condition);
    const [first, second = first] = operands;
    if (first === undefined || second === undefined) throw new Error(`${op} has no operand.`);
    const order = (operand: Operand) => this.#compare(asOperand(value, condition), operand);
    switch (op) {
      case '=':
        return order(first) === 0;
      case '!=':
        return order(first) !== 0;
      case '>':
        return order(first) > 0;
      case '>=':
        return order(first) >= 0;
      case '<':
        return order(first) < 0;
      case '<=':
        return order(first) <= 0;
      case 'IN':
        return operands.some((operand) => order(operand) === 0);
      case 'NOT IN':
        return operands.every((operand) => order(operand) !== 0);
      case 'BETWEEN':
        return this.#compare(first, second) <= 0 && order(first) >= 0 && order(second) <= 0;
      case 'NOT BETWEEN':
        return this.#compare(first, second) <= 0 && !(order(first) >= 0 && order(second) <= 0);
      case 'STARTS WITH':
        return textOf(value).startsWith(textOf(first));
      case 'CONTAINS':
        return textOf(value).includes(textOf(first));
    }
  }

  /** The operands with relative ones made absolute. */
  operandsOf({ tag, operands }: TagCondition): readonly Operand[] {
    return operands.map((operand) => {
      if (operand.kind !== 'relative') return operand;
      return isDayTag(tag)
        ? { kind: 'date', day: this.#anchorDay() + operand.amount }
        : { kind: 'instant', micros: this.#countFromAnchor(operand.amount, operand.unit) };
    });
  }

  /** Negative, zero or positive as `a` is before, equal to or after `b`. A moment against a day: its civil day. */
  #compare(a: Operand, b: Operand): number {
    if (a.kind === 'string' && b.kind === 'string')
      return a.value === b.value ? 0 : a.value < b.value ? -1 : 1;
    if (a.kind === 'boolean' && b.kind === 'boolean') return Number(a.value) - Number(b.value);
    if (a.kind === 'decimal' && b.kind === 'decimal') return order(exact(a.value), exact(b.value));
    if (a.kind === 'instant' && b.kind === 'instant') return order(a.micros, b.micros);
    return this.#dayOf(a) - this.#dayOf(b);
  }

  #dayOf(operand: Operand): number {
    if (operand.kind === 'date') return operand.day;
    if (operand.kind === 'instant') return this.#zone.civilDay(operand.micros);
    throw new Error(`A ${operand.kind} has no day.`);
  }

  #anchorDay(): number {
    const anchor = this.#requireAnchor();
    return anchor.kind === 'dt' ? anchor.day : this.#zone.civilDay(anchor.micros);
  }

  #countFromAnchor(amount: number, unit: 'd' | 'h' | 'm'): bigint {
    const anchor = this.#requireAnchor();
    const endOfDay = (day: number) => this.#zone.startOfDay(day + 1);
    if (unit === 'd') {
      if (anchor.kind === 'dt') return endOfDay(anchor.day + amount);
      const local = this.#zone.localOfInstant(anchor.micros) + BigInt(amount) * MICROS_PER_DAY;
      return amount === 0 ? anchor.micros : this.#zone.instantOfLocal(local);
    }
    const from = anchor.kind === 'dt' ? endOfDay(anchor.day) : anchor.micros;
    return from + BigInt(amount) * (unit === 'h' ? MICROS_PER_HOUR : MICROS_PER_MINUTE);
  }

  #requireAnchor(): Anchor {
    if (this.#anchor === null) throw new Error('The rule has relative values, and there is no anchor.');
    return this.#anchor;
  }
}

function not(truth: Truth): Truth {
  return truth === null ? null : !truth;
}

/** A row's value as a rule would write it. */
function asOperand(value: Value, { tag }: TagCondition): Operand {
  switch (typeof value) {
    case 'string':
      return { kind: 'string', value };
    case 'boolean':
      return { kind: 'boolean', value };
    case 'number':
      return { kind: 'date', day: value };
    case 'bigint':
      return { kind: 'instant', micros: value };
    case 'object':
      return { kind: 'decimal', value };
    default:
      throw new Error(`The tag ${tag.code} has no such value.`);
  }
}

function textOf(value: Value | Operand): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && 'kind' in value && value.kind === 'string') return value.value;
  throw new Error('STARTS WITH and CONTAINS take texts.');
}

/** As a whole number of units of 10^-38, which no decimal is finer than. */
function exact({ unscaled, scale }: Decimal): bigint {
  return unscaled * 10n ** BigInt(MAX_DECIMAL_DIGITS - scale);
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
