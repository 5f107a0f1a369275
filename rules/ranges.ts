/** Sets of days or moments as half-open ranges. */

/** [from, to); null is no bound on that side. */
export interface Range<T extends number | bigint> {
  readonly from: T | null;
  readonly to: T | null;
}

/** Sorted, apart from each other (not even touching), none of them empty. */
export type RangeSet<T extends number | bigint> = readonly Range<T>[];

/** The set of all that lies in at least one of the ranges. */
export function unite<T extends number | bigint>(ranges: readonly Range<T>[]): RangeSet<T> {
  const sorted = ranges.filter((range) => !isEmpty(range)).sort(compareStarts);
  const united: { from: T | null; to: T | null }[] = [];
  for (const { from, to } of sorted) {
    const last = united.at(-1);
    if (last === undefined || (last.to !== null && from !== null && last.to < from))
      united.push({ from, to });
    else if (last.to !== null && (to === null || to > last.to)) last.to = to;
  }
  return united;
}

/** The set of all that lies in none of the ranges. */
export function complement<T extends number | bigint>(ranges: RangeSet<T>): RangeSet<T> {
  const gaps: Range<T>[] = [];
  let from: T | null = null;
  for (const range of ranges) {
    if (range.from !== null) gaps.push({ from, to: range.from });
    if (range.to === null) return gaps;
    from = range.to;
  }
  return [...gaps, { from, to: null }];
}

/** Is the value in the set? */
export function includes<T extends number | bigint>(ranges: RangeSet<T>, value: T): boolean {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range === undefined || (range.from !== null && value < range.from)) high = middle;
    else if (range.to !== null && value >= range.to) low = middle + 1;
    else return true;
  }
  return false;
}

function isEmpty<T extends number | bigint>({ from, to }: Range<T>): boolean {
  return from !== null && to !== null && from >= to;
}

function compareStarts<T extends number | bigint>(a: Range<T>, b: Range<T>): number {
  if (a.from === b.from) return 0;
  if (a.from === null || b.from === null) return a.from === null ? -1 : 1;
  return a.from < b.from ? -1 : 1;
}
