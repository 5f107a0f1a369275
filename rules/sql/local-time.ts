/**
 * Which wall-clock times stand for which moments. Columns without a zone are compared as the wall clock has them, with
 * bounds computed here from the one zone data that all engines share; the engines do no time-zone arithmetic.
 */
import { END_OF_INSTANTS, floorDivide, MICROS_PER_SECOND, MIN_INSTANT } from '../civil.js';
import { complement, type Range, type RangeSet, unite } from '../ranges.js';
import type { Zone } from '../zone.js';

/**
 * The wall-clock times (microseconds as if in UTC; years 0001 to 9999) that the zone reads as a moment in the set.
 * A range of moments is one range of wall-clock times, except beside a change of the zone's offset: a skipped time
 * stands for a later one, and a repeated one only for its first moment.
 */
export function localTimesOf(moments: RangeSet<bigint>, zone: Zone): RangeSet<bigint> {
  return unite(
    moments.flatMap(({ from, to }) => subtract(localTimesFrom(from, zone), localTimesFrom(to, zone), to)),
  );
}

/** The wall-clock times that are a moment of the calendar. */
export function knownLocalTimes(zone: Zone): RangeSet<bigint> {
  return localTimesOf([{ from: MIN_INSTANT, to: END_OF_INSTANTS }], zone);
}

/** The wall-clock times that stand for this moment or a later one; null is before all. */
function localTimesFrom(moment: bigint | null, zone: Zone): RangeSet<bigint> {
  if (moment === null) return [{ from: null, to: null }];
  const seconds = Number(floorDivide(moment, MICROS_PER_SECOND));
  const pieces: Range<bigint>[] = [];
  /** Wall-clock seconds below this are dealt with. */
  let shown: number | null = null;
  let offsetBefore = 0;
  const add = (from: number | null, to: number | null, offset: number) => {
    // In this piece a wall-clock time stands for the moment `offset` seconds below it.
    const first = moment + BigInt(offset) * MICROS_PER_SECOND;
    const start = from === null ? null : BigInt(from) * MICROS_PER_SECOND;
    const end = to === null ? null : BigInt(to) * MICROS_PER_SECOND;
    const later = start === null || start < first ? first : start;
    if (end === null || later < end) pieces.push({ from: later, to: end });
  };
  for (const { fromSeconds, toSeconds, offset } of zone.segmentsAround(seconds + zone.offsetAt(seconds))) {
    const from = fromSeconds + offset;
    const to = Number.isFinite(toSeconds) ? toSeconds + offset : null;
    // Skipped times count on with the offset before the gap.
    if (shown !== null && shown < from) add(shown, from, offsetBefore);
    const start = shown === null ? null : Math.max(shown, from);
    if (to === null || start === null || start < to) {
      add(start, to, offset);
      shown = to;
      offsetBefore = offset;
    }
  }
  return unite(pieces);
}

function subtract(set: RangeSet<bigint>, taken: RangeSet<bigint>, end: bigint | null): RangeSet<bigint> {
  return end === null ? set : complement(unite([...complement(set), ...taken]));
}
