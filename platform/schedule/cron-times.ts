/**
 * When a schedule fires. A schedule names civil times of a zone; where the zone's clocks change,
 *
 *   - a schedule of every hour follows real time: it fires in both passes of a repeated hour, and skips a skipped one;
 *   - any other fires once for each civil time it names: at the earlier of two, and where the time was skipped, later by
 *     what was skipped (02:30 at 03:30). That is how the rule language reads civil times, so a daily run is daily.
 */
import { dateOfDay, dayOfDate, floorDivide, MICROS_PER_SECOND } from '../../rules/civil.js';
import type { Segment, Zone } from '../../rules/zone.js';
import { type CalendarDate, type CronExpression, FIRST_YEAR, LAST_YEAR } from './cron-expression.js';

const DAY_SECONDS = 86_400;

/** The times in epoch milliseconds and in order: after `afterMs`, up to `untilMs` and to the end of 2099. */
export function* cronTimesAfter(
  expression: CronExpression,
  zone: Zone,
  afterMs: number,
  untilMs: number = Number.POSITIVE_INFINITY,
): Generator<number> {
  const after = Math.floor(afterMs / 1_000);
  const until = Math.floor(untilMs / 1_000);
  const firstDay = Math.max(dayNumber(FIRST_YEAR, 1, 1), Math.floor(after / DAY_SECONDS) - 2);
  // No clock is two days ahead of UTC.
  const endDay = Math.min(dayNumber(LAST_YEAR, 12, 31) + 1, Math.floor(until / DAY_SECONDS) + 2);
  // Clocks that change around midnight let times of two days interleave: a time waits until its turn is sure.
  let waiting: number[] = [];
  for (let day = firstDay; day < endDay; day += 1) {
    if (waiting.length > 0) {
      const sureUntil = Number(floorDivide(zone.startOfDay(day), MICROS_PER_SECOND));
      for (const time of waiting) if (time < sureUntil) yield time * 1_000;
      waiting = waiting.filter((time) => time >= sureUntil);
    }
    if (!expression.matchesDay(calendarDate(day))) continue;
    const times = timesOfDay(expression, zone, day).filter((time) => time > after && time <= until);
    waiting = [...new Set([...waiting, ...times])].sort((a, b) => a - b);
  }
  for (const time of waiting) yield time * 1_000;
}

function dayNumber(year: number, month: number, dayOfMonth: number): number {
  return dayOfDate(year, month, dayOfMonth) ?? Number.NaN;
}

function calendarDate(day: number): CalendarDate {
  const { year, month, dayOfMonth } = dateOfDay(day);
  // 1970-01-01 was a Thursday.
  const dayOfWeek = (((day + 4) % 7) + 7) % 7;
  return { year, month, dayOfMonth, dayOfWeek, lastOfMonth: new Date(Date.UTC(year, month, 0)).getUTCDate() };
}

/** Epoch seconds. */
function timesOfDay({ hours, minutes, seconds }: CronExpression, zone: Zone, day: number): number[] {
  const followsRealTime = hours.length === 24;
  const segments = zone.segmentsAround(day * DAY_SECONDS + DAY_SECONDS / 2);
  const times: number[] = [];
  for (const hour of hours) {
    for (const minute of minutes) {
      for (const second of seconds) {
        const local = day * DAY_SECONDS + hour * 3_600 + minute * 60 + second;
        const shown = timesShowing(local, segments);
        if (followsRealTime) times.push(...shown);
        else times.push(shown[0] ?? timeSkippedAt(local, segments));
      }
    }
  }
  return times;
}

/** The moments at which clocks show a local time: one, two in an overlap, none in a gap. */
function timesShowing(local: number, segments: readonly Segment[]): number[] {
  return segments
    .filter(
      ({ fromSeconds, toSeconds, offset }) => local - offset >= fromSeconds && local - offset < toSeconds,
    )
    .map(({ offset }) => local - offset);
}

function timeSkippedAt(local: number, segments: readonly Segment[]): number {
  const before = segments.findLast(({ toSeconds, offset }) => toSeconds + offset <= local);
  return local - (before?.offset ?? 0);
}
