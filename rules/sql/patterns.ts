/**
 * Which texts are values, as regular expressions that RE2 (DuckDB), Postgres and Java read alike: ASCII classes,
 * groups, alternatives and bounded repetition only. They are for whole texts. What they accept is exactly what
 * decodeValue accepts, as far as a pattern can say it (that a moment lies in the calendar in UTC, it cannot).
 * Engines are not asked to parse texts that these have not accepted: their own casts take more, and raise.
 */

export const NUMBER = '-?[0-9]+([.][0-9]+)?';

/** Whole numbers of at most 18 digits that count, which fit 64 bits. All epochs of the calendar have fewer. */
export const EPOCH = '-?0*[0-9]{1,18}';

const YEAR = '([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)';
/** The two digits 04, 08, 12 … 96. */
const MULTIPLE_OF_4 = '(0[48]|[2468][048]|[13579][26])';
const LEAP_YEAR = `([0-9]{2}${MULTIPLE_OF_4}|${MULTIPLE_OF_4}00)`;

/** The days of the years 0001 to 9999, with this between year, month and day. */
function datePattern(separator: '-' | ''): string {
  const monthAndDay = [
    `(0[13578]|1[02])${separator}(0[1-9]|[12][0-9]|3[01])`,
    `(0[469]|11)${separator}(0[1-9]|[12][0-9]|30)`,
    `02${separator}(0[1-9]|1[0-9]|2[0-8])`,
  ].join('|');
  return `(${YEAR}${separator}(${monthAndDay})|${LEAP_YEAR}${separator}02${separator}29)`;
}

export const ISO_DATE = datePattern('-');
export const COMPACT_DATE = datePattern('');

/** What a wall clock shows: a day, T or a space, hours and minutes, maybe seconds and up to six digits of them. */
export const LOCAL_TIMESTAMP = `${ISO_DATE}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?`;
/** The same, and how far that clock is ahead of UTC. */
export const OFFSET_TIMESTAMP = `${LOCAL_TIMESTAMP}(Z|[+-](0[0-9]|1[0-8]):[0-5][0-9])`;
