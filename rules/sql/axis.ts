/**
 * An axis is what a condition compares: a value in SQL, the conditions under which the column holds a value at all,
 * and how values are written. Every column of every tag is one axis, or two that exclude each other (a text that
 * writes moments with an offset, or without).
 */
import { complement, type Range, type RangeSet } from '../ranges.js';
import type { Tag } from '../tag.js';
import type { Dialect } from './dialect.js';
import { FALSE, joinNodes, leaf, printOnOneLine, type SqlNode } from './sql-tree.js';

export interface Axis<T> {
  /**
   * The value exists where all of these are true, and may be evaluated only there: each may rely on those before it.
   * Where there is none, the value itself is NULL where there is no value.
   */
  readonly guards: readonly SqlNode[];
  readonly value: string;
  readonly literal: (value: T) => string;
}

/** The axis of days or moments, or of what stands for them, as whole numbers. */
export interface OrderedAxis extends Axis<bigint> {
  /** All values lie in here, and only these can be written. */
  readonly domain: { readonly from: bigint; readonly to: bigint };
  /** Are values that are equal written alike, so that a set may be listed? */
  readonly listable: boolean;
}

/** The text that the tag's column holds. */
export function textOf({ sourceField, column }: Tag, dialect: Dialect): string {
  const name = dialect.identifier(sourceField);
  if (column.kind === 'number') return dialect.textOfDecimal(name);
  // As a CHAR, Postgres compares it blind to blanks at the end, and matches it with them.
  return column.kind === 'text' && column.padded ? `CAST(${name} AS VARCHAR)` : name;
}

/** The condition where the axis has a value, else NULL. */
export function guard<T>({ guards }: Axis<T>, condition: SqlNode): SqlNode {
  return guards.reduceRight<SqlNode>((part, test) => ({ kind: 'guarded', guard: test, part }), condition);
}

/** True or false wherever the axis has a value. */
export function constant<T>(axis: Axis<T>, dialect: Dialect, truth: boolean): SqlNode {
  const node = leaf(dialect.boolean(truth));
  return axis.guards.length > 0
    ? guard(axis, node)
    : { kind: 'guarded', guard: leaf(`${axis.value} IS NOT NULL`), part: node };
}

/** Is there a value? Never NULL. */
export function hasValue<T>({ guards, value }: Axis<T>): SqlNode {
  const [last] = guards.slice(-1);
  if (last === undefined) return leaf(`${value} IS NOT NULL`);
  const known = guards
    .slice(0, -1)
    .reduceRight<SqlNode>((part, test) => ({ kind: 'guarded', guard: test, part }), last);
  return { kind: 'coalesce', parts: [known, FALSE] };
}

/** Is the value in the list? NULL where there is none. Values that are written alike are listed once. */
export function isInList<T>(
  axis: Axis<T>,
  dialect: Dialect,
  values: readonly T[],
  negated: boolean,
): SqlNode {
  const { value, literal } = axis;
  const literals = [...new Set(values.map(literal))];
  const [only] = literals;
  if (only !== undefined && literals.length === 1) {
    return guard(axis, leaf(`${value} ${negated ? '<>' : '='} ${only}`));
  }
  // The guards go inside: an engine may turn a list into a join, and then computes what it looks up for all rows,
  // whatever CASE the lookup is in.
  const looked = printOnOneLine(guard(axis, leaf(value)));
  const { longList } = dialect;
  const list =
    longList === null || literals.length < longList.from ? literals.join(', ') : longList.rows(literals);
  return leaf(`${looked} ${negated ? 'NOT IN' : 'IN'} (${list})`);
}

/** More ranges than this are searched by halves. */
const MAX_RANGES_IN_A_ROW = 8;

/** Is the value in the set? */
export function isInRanges(axis: OrderedAxis, dialect: Dialect, wanted: RangeSet<bigint>): SqlNode {
  const ranges = clip(wanted, axis);
  const others = complement(ranges);
  if (ranges.length === 0 || others.length === 0) return constant(axis, dialect, others.length === 0);
  const negated = countPieces(axis, others) < countPieces(axis, ranges);
  const set = negated ? others : ranges;
  const points = set.flatMap((range) => (isPoint(axis, range) && range.from !== null ? [range.from] : []));
  const intervals = set.filter((range) => !isPoint(axis, range));
  const isListed = points.length === 0 ? null : isInList(axis, dialect, points, negated);
  if (isListed !== null && intervals.length === 0) return isListed;
  const parts =
    intervals.length > MAX_RANGES_IN_A_ROW
      ? [search(axis, intervals, negated)]
      : intervals.map((interval) => isInInterval(axis, interval, negated));
  if (isListed !== null) parts.unshift(isListed);
  return guard(axis, joinNodes(negated ? 'and' : 'or', parts));
}

/** Bounds that no value is beyond are left out. */
function clip(ranges: RangeSet<bigint>, { domain }: OrderedAxis): RangeSet<bigint> {
  return ranges
    .filter(({ from, to }) => (from === null || from < domain.to) && (to === null || to > domain.from))
    .map(({ from, to }) => ({
      from: from === null || from <= domain.from ? null : from,
      to: to === null || to >= domain.to ? null : to,
    }));
}

function countPieces(axis: OrderedAxis, ranges: RangeSet<bigint>): number {
  const intervals = ranges.filter((range) => !isPoint(axis, range)).length;
  return intervals + (intervals < ranges.length ? 1 : 0);
}

function isPoint({ listable }: OrderedAxis, { from, to }: Range<bigint>): boolean {
  return listable && from !== null && to === from + 1n;
}

/** The ranges are in order: a comparison leaves half of them. */
function search(axis: OrderedAxis, ranges: RangeSet<bigint>, negated: boolean): SqlNode {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle]?.from ?? null;
  if (ranges.length <= MAX_RANGES_IN_A_ROW || pivot === null) {
    const parts = ranges.map((range) => isInInterval(axis, range, negated));
    return joinNodes(negated ? 'and' : 'or', parts);
  }
  return {
    kind: 'choice',
    test: leaf(`${axis.value} < ${axis.literal(pivot)}`),
    yes: search(axis, ranges.slice(0, middle), negated),
    no: search(axis, ranges.slice(middle), negated),
  };
}

function isInInterval(
  { value, literal }: OrderedAxis,
  { from, to }: Range<bigint>,
  negated: boolean,
): SqlNode {
  const [atLeast, below] = negated ? ['<', '>='] : ['>=', '<'];
  const parts: SqlNode[] = [];
  if (from !== null) parts.push(leaf(`${value} ${atLeast} ${literal(from)}`));
  if (to !== null) parts.push(leaf(`${value} ${below} ${literal(to)}`));
  return joinNodes(negated ? 'or' : 'and', parts);
}
