/**
 * Civil days and moments as numbers, and their texts. The calendar is the proleptic Gregorian one, as in SQL.
 * A day counts from 1970-01-01; a moment is in microseconds since 1970-01-01T00:00:00Z; a local moment is the same
 * count for what a wall clock shows. Years 0001 to 9999.
 */

export const MICROS_PER_SECOND = 1_000_000n;
export const MICROS_PER_MINUTE = 60n * MICROS_PER_SECOND;
export const MICROS_PER_HOUR = 60n * MICROS_PER_MINUTE;
export const MICROS_PER_DAY = 24n * MICROS_PER_HOUR;

/** 0001-01-01 and 9999-12-31. */
export const MIN_DAY = dayOf(1, 1, 1);
export const MAX_DAY = dayOf(9999, 12, 31);
/** 0001-01-01T00:00:00Z, the first moment there is, and 10000-01-01T00:00:00Z, the first there is no more. */
export const MIN_INSTANT = BigInt(MIN_DAY) * MICROS_PER_DAY;
export const END_OF_INSTANTS = BigInt(MAX_DAY + 1) * MICROS_PER_DAY;

export function isDay(day: number): boolean {
  return day >= MIN_DAY && day <= MAX_DAY;
}

export function isInstant(micros: bigint): boolean {
  return micros >= MIN_INSTANT && micros < END_OF_INSTANTS;
}

/** Days since 1970-01-01. The caller has made sure that the date exists. */
function dayOf(year: number, month: number, dayOfMonth: number): number {
  // Date.UTC takes the years 0 to 99 for 1900 to 1999; 400 years later the calendar is the same.
  return Date.UTC(year + 400, month - 1, dayOfMonth) / 86_400_000 - 146_097;
}

/** The day of a year 0001–9999, month and day of the month, or null where the calendar has none. */
export function dayOfDate(year: number, month: number, dayOfMonth: number): number | null {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || dayOfMonth < 1) return null;
  const day = dayOf(year, month, dayOfMonth);
  return dayOfMonth <= 28 || day < dayOf(year, month + 1, 1) ? day : null;
}

/** Year (astronomical: 0 is 1 BC), month 1–12 and day of the month. */
export function dateOfDay(day: number): { year: number; month: number; dayOfMonth: number } {
  const date = new Date(day * 86_400_000);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, dayOfMonth: date.getUTCDate() };
}

/** Exactly `YYYY-MM-DD`, a real day of the years 0001 to 9999; else null. */
export function parseDate(text: string): number | null {
  return /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(text)
    ? dayOfDate(Number(text.slice(0, 4)), Number(text.slice(5, 7)), Number(text.slice(8)))
    : null;
}

/** `YYYY-MM-DD`, of a day of the years 0000 to 9999. */
export function formatDate(day: number): string {
  const { year, month, dayOfMonth } = dateOfDay(day);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(dayOfMonth, 2)}`;
}

/** A written moment: what the wall clock shows, and how far it is ahead of UTC, null where that is not written. */
export interface WrittenInstant {
  readonly localMicros: bigint;
  readonly offsetSeconds: number | null;
}

const INSTANT_TEXT =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?(?:(Z)|([+-])([0-9]{2}):([0-9]{2}))?$/;

/**
 * `YYYY-MM-DD`, `T` or one space, `HH:MM`, `HH:MM:SS` or `HH:MM:SS.f` (1 to 6 digits), then nothing, `Z`, or `±HH:MM`
 * of at most 18:59. Else null, also for 24:00, for second 60 and for a day that the calendar has not.
 */
export function parseWrittenInstant(text: string): WrittenInstant | null {
  const match = INSTANT_TEXT.exec(text);
  if (match === null) return null;
  const [, date = '', hour, minute, second = '0', fraction = '', utc, sign, offsetHour, offsetMinute] = match;
  const day = parseDate(date);
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  if (day === null || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return null;
  if (Number(offsetHour ?? 0) > 18 || Number(offsetMinute ?? 0) > 59) return null;
  const localMicros =
    BigInt(day * 86_400 + seconds) * MICROS_PER_SECOND + BigInt(Number(fraction.padEnd(6, '0')));
  if (utc !== undefined) return { localMicros, offsetSeconds: 0 };
  if (sign === undefined) return { localMicros, offsetSeconds: null };
  const offset = Number(offsetHour) * 3600 + Number(offsetMinute) * 60;
  return { localMicros, offsetSeconds: sign === '-' ? -offset : offset };
}

/** `1998-06-30T10:00:00.5Z`: in UTC, with as many digits of the second as there are. */
export function formatInstant(micros: bigint): string {
  return `${formatLocal(micros)}Z`;
}

/** `1998-06-30T10:00:00.5`: what the wall clock shows. */
export function formatLocal(localMicros: bigint): string {
  const day = dayOfMicros(localMicros);
  const rest = Number(localMicros - BigInt(day) * MICROS_PER_DAY);
  const seconds = Math.floor(rest / 1_000_000);
  const fraction = pad(rest % 1_000_000, 6).replace(/0+$/, '');
  const time = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((part) => pad(Math.floor(part), 2));
  return `${formatDate(day)}T${time.join(':')}${fraction === '' ? '' : `.${fraction}`}`;
}

/** The day that a count of microseconds lies in. */
export function dayOfMicros(micros: bigint): number {
  return Number(floorDivide(micros, MICROS_PER_DAY));
}

/** a / b rounded down, for b > 0; BigInt division rounds towards zero. */
export function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a < 0n && quotient * b !== a ? quotient - 1n : quotient;
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}
