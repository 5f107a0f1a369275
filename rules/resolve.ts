/**
 * The step before any engine: relative values become absolute under the anchor, and every comparison of a datetime
 * becomes membership in a set of half-open ranges, of days for a tag of days, of moments for a tag of moments. The
 * compiled evaluator and the SQL compiler start from here; the reference evaluator does not, so that testing them
 * against it tests this step.
 */
import type {
  Anchor,
  CheckedRule,
  CrowdCondition,
  EvaluationContext,
  Operand,
  RuleNode,
  TagCondition,
  TagOperator,
} from './ast.js';
import { isDay, isInstant, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE } from './civil.js';
import { createDiagnostic, type Diagnostic, type Result } from './diagnostics.js';
import { complement, type Range, type RangeSet, unite } from './ranges.js';
import type { Tag } from './tag.js';
import { isDayTag } from './value.js';
import { getZone, type Zone } from './zone.js';

/** True iff the tag's day (since 1970-01-01) is in one of the ranges; unknown where the tag is NULL. */
export interface DayCondition {
  readonly kind: 'days';
  readonly tag: Tag;
  readonly ranges: RangeSet<number>;
  readonly pointer: string;
}

/** True iff the tag's moment (µs since 1970-01-01T00:00:00Z) is in one of the ranges; unknown where it is NULL. */
export interface InstantCondition {
  readonly kind: 'instants';
  readonly tag: Tag;
  readonly ranges: RangeSet<bigint>;
  readonly pointer: string;
}

export type ResolvedNode =
  | { readonly kind: 'and'; readonly children: readonly ResolvedNode[]; readonly pointer: string }
  | { readonly kind: 'or'; readonly children: readonly ResolvedNode[]; readonly pointer: string }
  | { readonly kind: 'not'; readonly child: ResolvedNode; readonly pointer: string }
  /** On a tag that is no datetime, or IS [NOT] NULL on any. */
  | TagCondition
  | DayCondition
  | InstantCondition
  | CrowdCondition;

/** A rule for one anchor and zone, with those of all crowds it reaches, each before those that use it. */
export interface ResolvedRule {
  readonly root: ResolvedNode;
  readonly crowds: ReadonlyMap<string, ResolvedNode>;
  readonly zone: Zone;
}

/** Fails with `anchor_required` or `anchor_out_of_range`, at every value concerned. */
export function resolveRule(rule: CheckedRule, context: EvaluationContext): Result<ResolvedRule> {
  const resolver = new Resolver(getZone(context.zone), context.anchor);
  const root = resolver.resolveNode(rule.root);
  const crowds = new Map<string, ResolvedNode>();
  for (const [code, node] of rule.crowds) {
    resolver.crowd = code;
    crowds.set(code, resolver.resolveNode(node));
  }
  if (resolver.diagnostics.length > 0) return { ok: false, diagnostics: resolver.diagnostics };
  return { ok: true, value: { root, crowds, zone: resolver.zone } };
}

/** A datetime that stands for itself. */
type Absolute = Extract<Operand, { kind: 'date' | 'instant' }>;
type Relative = Extract<Operand, { kind: 'relative' }>;

/**
 * Is the lower bound above the upper one? A date as lower bound counts as its beginning, as upper bound as its end.
 */
export function areInverted(low: Operand, high: Operand, zone: Zone): boolean {
  if (low.kind === 'date' && high.kind === 'date') return low.day > high.day;
  return isAbsolute(low) && isAbsolute(high) && momentsOf(low, zone).from >= momentsOf(high, zone).to;
}

function isAbsolute(operand: Operand): operand is Absolute {
  return operand.kind === 'date' || operand.kind === 'instant';
}

interface Bounded<T> {
  readonly from: T;
  readonly to: T;
}

/** The moments that equal the operand. */
function momentsOf(operand: Absolute, zone: Zone): Bounded<bigint> {
  return operand.kind === 'date'
    ? { from: zone.startOfDay(operand.day), to: zone.startOfDay(operand.day + 1) }
    : { from: operand.micros, to: operand.micros + 1n };
}

/** The days that equal the operand. */
function daysOf(operand: Absolute): Bounded<number> {
  if (operand.kind === 'instant') throw new Error('A tag of days was compared with a moment.');
  return { from: operand.day, to: operand.day + 1 };
}

class Resolver {
  readonly diagnostics: Diagnostic[] = [];
  readonly zone: Zone;
  readonly #anchor: Anchor | null;
  /** The crowd whose rule is being resolved. */
  crowd: string | null = null;

  constructor(zone: Zone, anchor: Anchor | null) {
    this.zone = zone;
    this.#anchor = anchor;
  }

  resolveNode(node: RuleNode): ResolvedNode {
    switch (node.kind) {
      case 'and':
      case 'or':
        return { ...node, children: node.children.map((child) => this.resolveNode(child)) };
      case 'not':
        return { ...node, child: this.resolveNode(node.child) };
      case 'crowd':
        return node;
      case 'tag':
        return node.tag.type === 'datetime' && node.operands.length > 0 ? this.#resolveDatetime(node) : node;
    }
  }

  #resolveDatetime(condition: TagCondition): ResolvedNode {
    const { tag, op, pointer } = condition;
    const operands = condition.operands.map((operand) => this.#resolveOperand(operand, tag, pointer));
    const [low, high] = operands;
    const inverted =
      (op === 'BETWEEN' || op === 'NOT BETWEEN') &&
      low !== undefined &&
      high !== undefined &&
      areInverted(low, high, this.zone);
    if (isDayTag(tag)) {
      const ranges = inverted ? [] : rangesOf(op, operands.map(daysOf));
      return { kind: 'days', tag, ranges, pointer };
    }
    const ranges = inverted
      ? []
      : rangesOf(
          op,
          operands.map((operand) => momentsOf(operand, this.zone)),
        );
    return { kind: 'instants', tag, ranges, pointer };
  }

  #resolveOperand(operand: Operand, tag: Tag, pointer: string): Absolute {
    if (isAbsolute(operand)) return operand;
    if (operand.kind !== 'relative') throw new Error(`A ${operand.kind} is no datetime.`);
    const resolved =
      this.#anchor === null
        ? this.#fail('anchor_required', pointer, operand, 'has nothing to count from')
        : isDayTag(tag)
          ? this.#countDays(operand, this.#anchor)
          : this.#countMoments(operand, this.#anchor);
    if (resolved === null) this.#fail('anchor_out_of_range', pointer, operand, 'leaves the calendar');
    // After a failure the result is not used: a value of the right kind lets the check go on and find the other failures.
    return resolved ?? (isDayTag(tag) ? { kind: 'date', day: 0 } : { kind: 'instant', micros: 0n });
  }

  #countDays({ amount }: Relative, anchor: Anchor): Absolute | null {
    const day = (anchor.kind === 'dt' ? anchor.day : this.zone.civilDay(anchor.micros)) + amount;
    return isDay(day) ? { kind: 'date', day } : null;
  }

  /** From dt, days lead to the end of another civil day; from a moment, to the same local time on another day. */
  #countMoments({ amount, unit }: Relative, anchor: Anchor): Absolute | null {
    const { zone } = this;
    const days = unit === 'd' ? amount : 0;
    const base =
      anchor.kind === 'dt'
        ? zone.startOfDay(anchor.day + 1 + days)
        : days === 0
          ? anchor.micros
          : zone.instantOfLocal(zone.localOfInstant(anchor.micros) + BigInt(days) * MICROS_PER_DAY);
    const span = unit === 'd' ? 0n : BigInt(amount) * (unit === 'h' ? MICROS_PER_HOUR : MICROS_PER_MINUTE);
    const micros = base + span;
    return isInstant(micros) ? { kind: 'instant', micros } : null;
  }

  #fail(
    code: 'anchor_required' | 'anchor_out_of_range',
    pointer: string,
    { amount, unit }: Relative,
    what: string,
  ) {
    const diagnostic = createDiagnostic(code, `${pointer}/value`, `'${amount}${unit}' ${what}.`);
    this.diagnostics.push(this.crowd === null ? diagnostic : { ...diagnostic, crowd: this.crowd });
    return undefined;
  }
}

/** The values for which the operator holds, from the ranges of values that equal each operand. */
function rangesOf<T extends number | bigint>(op: TagOperator, operands: readonly Bounded<T>[]): RangeSet<T> {
  const [first, second] = operands;
  if (first === undefined) throw new Error(`${op} has no operand.`);
  const { from, to } = first;
  const between: Range<T> = { from, to: second === undefined ? to : second.to };
  switch (op) {
    case '=':
    case 'IN':
      return unite(operands);
    case '!=':
    case 'NOT IN':
      return complement(unite(operands));
    case '>':
      return [{ from: to, to: null }];
    case '>=':
      return [{ from, to: null }];
    case '<':
      return [{ from: null, to: from }];
    case '<=':
      return [{ from: null, to }];
    case 'BETWEEN':
      return unite([between]);
    case 'NOT BETWEEN':
      return complement(unite([between]));
    default:
      throw new Error(`${op} does not compare datetimes.`);
  }
}
