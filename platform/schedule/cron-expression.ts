/**
 * Schedules as people write them: Quartz with six or seven fields (second minute hour day-of-month month day-of-week
 * [year]) and classic cron with five (minute hour day-of-month month day-of-week). Their grammars look alike and mean
 * different things; what could be misread is refused.
 *
 *                          Quartz                                  five fields
 *   Monday                 2 (SUN is 1)                            1 (SUN is 0 or 7)
 *   both days given        refused, as Quartz does: one is `?`     either of them
 *   a step over all days   read                                    refused beside the other day (crons differ)
 *   `5/15`                 5, 20, 35, 50                           refused (crons differ)
 *   `L` as weekday         Saturday                                refused
 *
 * Both: lists, ranges (also over the end: `22-2`, `FRI-MON`), names in any case, `L`, `L-3`, `15W`, `LW` as day of the
 * month, `6L` and `2#1` as day of the week. `15W` is the weekday (Monday to Friday) nearest to the 15th in its month;
 * a month that has no 31st has no `31W`. Years are 1970 to 2099, Quartz's own.
 */
import { QuanrenError } from '../../errors/quanren-error.js';
import { FieldError, type FieldKind, parseField, parseItem, parseValue } from './cron-field.js';

export const FIRST_YEAR = 1970;
export const LAST_YEAR = 2099;

export interface CronExpression {
  /** Sorted. */
  readonly hours: readonly number[];
  readonly minutes: readonly number[];
  readonly seconds: readonly number[];
  readonly matchesDay: (date: CalendarDate) => boolean;
}

export interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly dayOfMonth: number;
  /** 0 is Sunday. */
  readonly dayOfWeek: number;
  /** The number of days in the month. */
  readonly lastOfMonth: number;
}

type DayTest = (date: CalendarDate) => boolean;

const numbered = (names: string, first: number) =>
  Object.fromEntries(names.split(' ').map((name, i) => [name, i + first]));

const closed = { wraps: true, openSteps: false };
const SECOND: FieldKind = { name: 'second', low: 0, high: 59, ...closed };
const MINUTE: FieldKind = { name: 'minute', low: 0, high: 59, ...closed };
const HOUR: FieldKind = { name: 'hour', low: 0, high: 23, ...closed };
const DAY_OF_MONTH: FieldKind = { name: 'day of the month', low: 1, high: 31, ...closed };
const MONTH: FieldKind = {
  name: 'month',
  low: 1,
  high: 12,
  names: numbered('JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC', 1),
  ...closed,
};
const YEAR: FieldKind = { name: 'year', low: FIRST_YEAR, high: LAST_YEAR, wraps: false, openSteps: true };
const WEEKDAYS = 'SUN MON TUE WED THU FRI SAT';
const DAY_OF_WEEK: FieldKind = {
  name: 'day of the week',
  low: 0,
  high: 6,
  highestWritten: 7,
  names: numbered(WEEKDAYS, 0),
  ...closed,
};
const QUARTZ_DAY_OF_WEEK: FieldKind = {
  ...DAY_OF_WEEK,
  low: 1,
  high: 7,
  names: numbered(WEEKDAYS, 1),
};

/** Throws `bad_request` with what is wrong, and where. */
export function parseCron(text: string): CronExpression {
  const fields = text.trim().toUpperCase().split(/\s+/);
  try {
    if (fields[0] === '') throw new FieldError('it is empty');
    if (fields.length === 5) return parseFiveFields(fields);
    if (fields.length === 6 || fields.length === 7) return parseQuartz(fields);
    throw new FieldError(
      `it has ${fields.length === 1 ? 'one field' : `${fields.length} fields`}, not 5, 6 or 7`,
    );
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    throw new QuanrenError('bad_request', `The schedule '${text}' is not valid: ${error.message}.`);
  }
}

function parseQuartz(fields: readonly string[]): CronExpression {
  const [second = '', minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = '', year = '*'] =
    fields;
  const open = (kind: FieldKind): FieldKind => ({ ...kind, openSteps: true });
  const times = {
    seconds: sortedValues(second, open(SECOND)),
    minutes: sortedValues(minute, open(MINUTE)),
    hours: sortedValues(hour, open(HOUR)),
  };
  const day = quartzDay(dayOfMonth, dayOfWeek);
  const inMonth = monthTest(month, open(MONTH));
  const years = inField(YEAR, () => parseField(year, YEAR));
  return { ...times, matchesDay: (date) => years.has(date.year) && inMonth(date) && day(date) };
}

function quartzDay(dayOfMonth: string, dayOfWeek: string): DayTest {
  const free = (text: string) => text === '*' || text === '?';
  if (dayOfMonth === '?' && dayOfWeek === '?') {
    throw new FieldError("only one of day of the month and day of the week can be '?'");
  }
  if (!free(dayOfMonth) && !free(dayOfWeek)) {
    throw new FieldError("Quartz takes a day of the month or a day of the week, not both: write '?' for one");
  }
  // `* * 1` is what other six-field crons take for Monday, and Quartz refuses.
  if (dayOfMonth === '*' && /(^|[,-])\d/.test(dayOfWeek)) {
    throw new FieldError("write '?' as day of the month where the day of the week is a number (1 is Sunday)");
  }
  const month = { ...DAY_OF_MONTH, openSteps: true };
  const week = { ...QUARTZ_DAY_OF_WEEK, openSteps: true };
  if (free(dayOfWeek)) return free(dayOfMonth) ? () => true : dayOfMonthTest(dayOfMonth, month);
  return dayOfWeek === 'L' ? dayOfWeekTest('SAT', week) : dayOfWeekTest(dayOfWeek, week);
}

function parseFiveFields(fields: readonly string[]): CronExpression {
  const [minute = '', hour = '', dayOfMonth = '', month = '', dayOfWeek = ''] = fields;
  const times = { seconds: [0], minutes: sortedValues(minute, MINUTE), hours: sortedValues(hour, HOUR) };
  const day = fiveFieldsDay(dayOfMonth, dayOfWeek);
  const inMonth = monthTest(month, MONTH);
  return { ...times, matchesDay: (date) => inMonth(date) && day(date) };
}

function fiveFieldsDay(dayOfMonth: string, dayOfWeek: string): DayTest {
  const ofMonth = dayOfMonth === '*' ? undefined : dayOfMonthTest(dayOfMonth, DAY_OF_MONTH);
  const ofWeek = dayOfWeek === '*' ? undefined : dayOfWeekTest(dayOfWeek, DAY_OF_WEEK);
  if (ofMonth === undefined || ofWeek === undefined) return ofMonth ?? ofWeek ?? (() => true);
  if (dayOfMonth.startsWith('*') || dayOfWeek.startsWith('*')) {
    throw new FieldError(
      "a step such as '*/2' on one day field beside the other means different things to different crons: list the days",
    );
  }
  return (date) => ofMonth(date) || ofWeek(date);
}

/** Says in an error which field it is about. */
function inField<T>(kind: FieldKind, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof FieldError ? new FieldError(`in ${kind.name}, ${error.message}`) : error;
  }
}

function sortedValues(text: string, kind: FieldKind): readonly number[] {
  return inField(kind, () => [...parseField(text, kind)].sort((a, b) => a - b));
}

function monthTest(text: string, kind: FieldKind): DayTest {
  const months = inField(kind, () => parseField(text, kind));
  return ({ month }) => months.has(month);
}

const anyOf =
  (tests: readonly DayTest[]): DayTest =>
  (date) =>
    tests.some((test) => test(date));

function dayOfMonthTest(text: string, kind: FieldKind): DayTest {
  return inField(kind, () => anyOf(text.split(',').map((item) => dayOfMonthItem(item, kind))));
}

function dayOfMonthItem(item: string, kind: FieldKind): DayTest {
  const fromLast = /^L(?:-(\d{1,2}))?(W)?$/.exec(item);
  if (fromLast !== null) {
    const [, back = '0', weekday] = fromLast;
    if (Number(back) > 30) throw new FieldError(`'${item}' lies before every month`);
    const target = (date: CalendarDate) => date.lastOfMonth - Number(back);
    return weekday === undefined
      ? (date) => date.dayOfMonth === target(date)
      : (date) => date.dayOfMonth === nearestWeekday(target(date), date);
  }
  const [, near] = /^(\d+)W$/.exec(item) ?? [];
  if (near !== undefined) {
    const target = parseValue(near, kind);
    return (date) => date.dayOfMonth === nearestWeekday(target, date);
  }
  const days = new Set(parseItem(item, kind));
  return ({ dayOfMonth }) => days.has(dayOfMonth);
}

/** Of the month of `date`: the Monday to Friday nearest to the day `target`; undefined where it has no such day. */
function nearestWeekday(target: number, date: CalendarDate): number | undefined {
  if (target < 1 || target > date.lastOfMonth) return undefined;
  const dayOfWeek = (((date.dayOfWeek + target - date.dayOfMonth) % 7) + 7) % 7;
  if (dayOfWeek === 6) return target === 1 ? 3 : target - 1;
  if (dayOfWeek === 0) return target === date.lastOfMonth ? target - 2 : target + 1;
  return target;
}

function dayOfWeekTest(text: string, kind: FieldKind): DayTest {
  return inField(kind, () => anyOf(text.split(',').map((item) => dayOfWeekItem(item, kind))));
}

function dayOfWeekItem(item: string, kind: FieldKind): DayTest {
  const sundayIsZero = (value: number) => (value - kind.low) % 7;
  const [, lastOf] = /^(.+)L$/.exec(item) ?? [];
  if (lastOf !== undefined) {
    const weekday = sundayIsZero(parseValue(lastOf, kind));
    return (date) => date.dayOfWeek === weekday && date.dayOfMonth > date.lastOfMonth - 7;
  }
  const [, nthOf, nth] = /^(.+)#(\d+)$/.exec(item) ?? [];
  if (nthOf !== undefined) {
    if (!/^[1-5]$/.test(nth ?? '')) throw new FieldError(`'${item}' asks for a week other than 1 to 5`);
    const weekday = sundayIsZero(parseValue(nthOf, kind));
    return (date) => date.dayOfWeek === weekday && Math.ceil(date.dayOfMonth / 7) === Number(nth);
  }
  const weekdays = new Set(parseItem(item, kind).map(sundayIsZero));
  return ({ dayOfWeek }) => weekdays.has(dayOfWeek);
}
