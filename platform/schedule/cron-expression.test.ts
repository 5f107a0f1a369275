import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Cron } from 'croner';
import fc from 'fast-check';
import { getZone } from '../../rules/zone.js';
import { parseCron } from './cron-expression.js';
import { cronTimesAfter } from './cron-times.js';

/** The next times as the wall clock of the zone shows them. */
function nextTimes(
  expression: string,
  { zone = 'Asia/Shanghai', from = '2026-11-23T00:00:00Z', count = 3 } = {},
) {
  const format = new Intl.DateTimeFormat('sv', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'medium',
  });
  return next(expression, zone, Date.parse(from), count).map((ms) => format.format(ms));
}

function next(expression: string, zone: string, fromMs: number, count: number): number[] {
  const times: number[] = [];
  for (const time of cronTimesAfter(parseCron(expression), getZone(zone), fromMs)) {
    if (times.push(time) === count) break;
  }
  return times;
}

/** Checked by hand with a calendar; 2026-11-23 is a Monday, and 08:00 in Shanghai when the search starts. */
const CASES: Readonly<Record<string, readonly string[]>> = {
  '0 0 2 * * ?': ['2026-11-24 02:00:00', '2026-11-25 02:00:00', '2026-11-26 02:00:00'],
  '0 0 2 ? * *': ['2026-11-24 02:00:00', '2026-11-25 02:00:00', '2026-11-26 02:00:00'],
  '0 0 2 * * *': ['2026-11-24 02:00:00', '2026-11-25 02:00:00', '2026-11-26 02:00:00'],
  '0 0 12 ? * 2': ['2026-11-23 12:00:00', '2026-11-30 12:00:00', '2026-12-07 12:00:00'],
  '0 0 12 ? * mon': ['2026-11-23 12:00:00', '2026-11-30 12:00:00', '2026-12-07 12:00:00'],
  '0 0 12 * * MON': ['2026-11-23 12:00:00', '2026-11-30 12:00:00', '2026-12-07 12:00:00'],
  '0 0 12 ? * FRI-MON': ['2026-11-23 12:00:00', '2026-11-27 12:00:00', '2026-11-28 12:00:00'],
  '0 0 12 ? * 6-2': ['2026-11-23 12:00:00', '2026-11-27 12:00:00', '2026-11-28 12:00:00'],
  '0 0 12 ? * L': ['2026-11-28 12:00:00', '2026-12-05 12:00:00', '2026-12-12 12:00:00'],
  '0 0 12 ? * 6L': ['2026-11-27 12:00:00', '2026-12-25 12:00:00', '2027-01-29 12:00:00'],
  '0 0 12 ? * FRIL': ['2026-11-27 12:00:00', '2026-12-25 12:00:00', '2027-01-29 12:00:00'],
  '0 0 12 ? * 2#1': ['2026-12-07 12:00:00', '2027-01-04 12:00:00', '2027-02-01 12:00:00'],
  '0 0 12 ? * MON#5': ['2026-11-30 12:00:00', '2027-03-29 12:00:00', '2027-05-31 12:00:00'],
  '0 0 12 L * ?': ['2026-11-30 12:00:00', '2026-12-31 12:00:00', '2027-01-31 12:00:00'],
  '0 0 12 L-3 * ?': ['2026-11-27 12:00:00', '2026-12-28 12:00:00', '2027-01-28 12:00:00'],
  '0 0 12 LW * ?': ['2026-11-30 12:00:00', '2026-12-31 12:00:00', '2027-01-29 12:00:00'],
  '0 0 12 15W * ?': ['2026-12-15 12:00:00', '2027-01-15 12:00:00', '2027-02-15 12:00:00'],
  // 2027-05-01 is a Saturday, 2027-08-01 a Sunday: the weekday stays in its month.
  '0 0 12 1W 5,8 ?': ['2027-05-03 12:00:00', '2027-08-02 12:00:00', '2028-05-01 12:00:00'],
  // 2027-01-31 is a Sunday; February and April have no 31st.
  '0 0 12 31W 1-4 ?': ['2027-01-29 12:00:00', '2027-03-31 12:00:00', '2028-01-31 12:00:00'],
  '0 0 12 1,L * ?': ['2026-11-30 12:00:00', '2026-12-01 12:00:00', '2026-12-31 12:00:00'],
  '0 0 0 29 2 ?': ['2028-02-29 00:00:00', '2032-02-29 00:00:00', '2036-02-29 00:00:00'],
  '0 0 0 1 JAN ? 2027-2028': ['2027-01-01 00:00:00', '2028-01-01 00:00:00'],
  '0 0 0 1 1 ? 2028,2027': ['2027-01-01 00:00:00', '2028-01-01 00:00:00'],
  '0 0 0 1 1 ? 2097/2': ['2097-01-01 00:00:00', '2099-01-01 00:00:00'],
  '0 0 0 1 1 ? 2020': [],
  '0 0 0 30 2 ?': [],
  '15/20 59 23 31 12 ?': ['2026-12-31 23:59:15', '2026-12-31 23:59:35', '2026-12-31 23:59:55'],
  '0 0 22-1 * * ?': ['2026-11-23 22:00:00', '2026-11-23 23:00:00', '2026-11-24 00:00:00'],
  '0 0/45 8 * * ?': ['2026-11-23 08:45:00', '2026-11-24 08:00:00', '2026-11-24 08:45:00'],
  '0 0 12 1 NOV-FEB ?': ['2026-12-01 12:00:00', '2027-01-01 12:00:00', '2027-02-01 12:00:00'],
  '0 2 * * *': ['2026-11-24 02:00:00', '2026-11-25 02:00:00', '2026-11-26 02:00:00'],
  '0 12 * * 1': ['2026-11-23 12:00:00', '2026-11-30 12:00:00', '2026-12-07 12:00:00'],
  '0 12 * * 0': ['2026-11-29 12:00:00', '2026-12-06 12:00:00', '2026-12-13 12:00:00'],
  '0 12 * * 7': ['2026-11-29 12:00:00', '2026-12-06 12:00:00', '2026-12-13 12:00:00'],
  '0 12 * * 5-7': ['2026-11-27 12:00:00', '2026-11-28 12:00:00', '2026-11-29 12:00:00'],
  '0 12 * * 0-7': ['2026-11-23 12:00:00', '2026-11-24 12:00:00', '2026-11-25 12:00:00'],
  '0 12 13 * 5': ['2026-11-27 12:00:00', '2026-12-04 12:00:00', '2026-12-11 12:00:00'],
  '*/20 8 * * *': ['2026-11-23 08:20:00', '2026-11-23 08:40:00', '2026-11-24 08:00:00'],
};

describe('a schedule', () => {
  for (const [expression, expected] of Object.entries(CASES)) {
    it(`${expression} fires as the calendar says`, () => assert.deepEqual(nextTimes(expression), expected));
  }

  const REFUSED: Readonly<Record<string, RegExp>> = {
    '': /it is empty/,
    '@daily': /one field/,
    '* * * *': /4 fields/,
    '0 0 2 15 * 2': /not both/,
    '0 0 2 ? * ?': /only one/,
    '0 0 2 * * 2': /1 is Sunday/,
    '0 0 2 ? * 0': /in day of the week, '0' is not a number from 1 to 7/,
    '0 0 2 ? * 8': /from 1 to 7/,
    '0 0 2 ? * MON#6': /week other than/,
    '0 0 2 L-31 * ?': /before every month/,
    '0 0 2 32 * ?': /from 1 to 31/,
    '0 0 24 * * ?': /in hour, '24' is not a number from 0 to 23/,
    '60 0 2 * * ?': /in second/,
    '? 0 2 * * ?': /in second/,
    '0 */0 2 * * ?': /step/,
    '0 0/60 2 * * ?': /step/,
    '0 0 2 1 1 ? 2030-2027': /runs backwards/,
    '0 0 2 1 1 ? 1969': /in year/,
    '0 0 2 1,,2 * ?': /in day of the month/,
    '0 0 2 1-2-3 * ?': /neither a value nor a range/,
    '0 -1 2 * * ?': /in minute/,
    '0 1- 2 * * ?': /in minute/,
    '0 0 2 * FOO ?': /in month/,
    '0 2 ? * 1': /in day of the month/,
    '0 2 * * 8': /from 0 to 7/,
    '0 2 * * L': /in day of the week/,
    'a b c d e': /in minute, 'A' is not a number from 0 to 59\./,
    '0 2 * * FOO': /in day of the week, 'FOO' is not a number from 0 to 7, nor one of SUN, MON/,
    '0 2 */2 * 1': /different things/,
    '5/15 * * * *': /5-59\/15/,
    '0 0 2 １ * ?': /in day of the month/,
  };
  for (const [expression, message] of Object.entries(REFUSED)) {
    it(`'${expression}' is refused`, () => {
      assert.throws(() => parseCron(expression), { code: 'bad_request', message });
    });
  }

  it('does not fire at the moment it is asked from', () => {
    const two = Date.parse('2026-11-23T02:00:00+08:00');
    assert.deepEqual(next('0 0 2 * * ?', 'Asia/Shanghai', two - 1, 1), [two]);
    assert.deepEqual(next('0 0 2 * * ?', 'Asia/Shanghai', two, 1), [two + 86_400_000]);
  });

  it('fires once on a day whose clocks skip its time, later by what was skipped', () => {
    const from = '2026-03-07T12:00:00Z';
    assert.deepEqual(nextTimes('0 30 2 * * ?', { zone: 'America/New_York', from }), [
      '2026-03-08 03:30:00',
      '2026-03-09 02:30:00',
      '2026-03-10 02:30:00',
    ]);
    // Where the skipped time meets another of the schedule, the two are one.
    assert.deepEqual(nextTimes('0 0 2,3 * * ?', { zone: 'America/New_York', from }), [
      '2026-03-08 03:00:00',
      '2026-03-09 02:00:00',
      '2026-03-09 03:00:00',
    ]);
  });

  it('fires once on a day whose clocks repeat its time, at the earlier', () => {
    const times = next('0 30 1 * * ?', 'America/New_York', Date.parse('2026-10-31T12:00:00Z'), 2);
    assert.deepEqual(times, [
      Date.parse('2026-11-01T01:30:00-04:00'),
      Date.parse('2026-11-02T01:30:00-05:00'),
    ]);
  });

  it('of every hour follows real time through both', () => {
    const hourly = (from: string) => next('0 0 * * * ?', 'America/New_York', Date.parse(from), 5);
    for (const from of ['2026-03-08T05:30:00Z', '2026-11-01T04:30:00Z']) {
      const first = Date.parse(from) + 1_800_000;
      assert.deepEqual(
        hourly(from),
        Array.from({ length: 5 }, (_, i) => first + i * 3_600_000),
      );
    }
  });

  it('passes a day that its zone left out', () => {
    const times = nextTimes('0 0 12 * * ?', { zone: 'Pacific/Apia', from: '2011-12-29T20:00:00Z', count: 3 });
    // Friday the 30th was skipped as a whole: its noon is moved to the noon of the 31st, and is one with it.
    assert.deepEqual(times, ['2011-12-29 12:00:00', '2011-12-31 12:00:00', '2012-01-01 12:00:00']);
  });

  it('gives times in order and once each where clocks change at midnight', () => {
    for (const zone of ['America/Havana', 'America/Sao_Paulo', 'Asia/Beirut', 'Africa/Cairo']) {
      const times = next('0 0/7 22-2 * * ?', zone, Date.parse('2018-01-01T00:00:00Z'), 20_000);
      assert.ok(times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0)));
    }
  });

  it('agrees with croner on what both read', () => {
    const values = (low: number, high: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min: low, max: high }).map(String),
        fc
          .uniqueArray(fc.integer({ min: low, max: high }), { minLength: 2, maxLength: 3 })
          .map((list) => list.join()),
        fc
          .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
          .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
        fc.integer({ min: 2, max: high }).map((step) => `*/${step}`),
      );
    const day = fc.oneof(
      fc.tuple(fc.oneof(values(1, 31), fc.constantFrom('L', 'LW', '1W', '15W', '31W')), fc.constant('?')),
      fc.tuple(
        fc.constant('?'),
        fc.oneof(values(1, 7), fc.constantFrom('6L', '1L', '2#1', '7#5', 'MON-FRI')),
      ),
    );
    const expression = fc
      .tuple(values(0, 59), values(0, 59), values(0, 23), day, values(1, 12))
      .map(
        ([second, minute, hour, [ofMonth, ofWeek], month]) =>
          `${second} ${minute} ${hour} ${ofMonth} ${month} ${ofWeek}`,
      );
    const fromMs = fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2030, 0) });
    fc.assert(
      fc.property(expression, fromMs, (text, ms) => {
        const croner = new Cron(text, {
          timezone: 'Asia/Shanghai',
          alternativeWeekdays: true,
          sloppyRanges: true,
        });
        // Croner knows no last year; Quartz's is 2099.
        const expected = croner
          .nextRuns(5, new Date(ms))
          .map((date) => date.getTime())
          .filter((time) => time < Date.parse('2100-01-01T00:00:00+08:00'));
        const found = next(text, 'Asia/Shanghai', ms, 5);
        assert.deepEqual(found, expected);
      }),
      { numRuns: 300 },
    );
  });
});
