import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { END_OF_INSTANTS, formatDate, formatInstant, formatLocal, MIN_INSTANT, parseDate } from './civil.js';
import { parseInstant } from './value.js';
import { getZone, isZone } from './zone.js';

const ZONES = [
  'Asia/Shanghai',
  'America/New_York',
  'America/Sao_Paulo',
  'America/Havana',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'Africa/Monrovia',
  'Pacific/Apia',
  'Europe/London',
  'Asia/Manila',
  'America/Juneau',
  'UTC',
];

const at = (text: string, zone: string): string | null => {
  const micros = parseInstant(text, getZone(zone));
  return micros === null ? null : formatInstant(micros);
};
const day = (text: string): number => parseDate(text) ?? assert.fail(text);
const start = (date: string, zone: string) => formatInstant(getZone(zone).startOfDay(day(date)));

test('knows zones by their IANA names only', () => {
  for (const name of ZONES) assert.ok(isZone(name));
  for (const name of ['', '+08:00', 'Mars/Olympus', 'Asia/Shanghai ']) assert.ok(!isZone(name), name);
});

test('local times, in gaps and overlaps, are these moments', () => {
  assert.equal(at('2026-11-23 10:00', 'Asia/Shanghai'), '2026-11-23T02:00:00Z');
  assert.equal(at('1900-01-01 00:00:00', 'Asia/Shanghai'), '1899-12-31T15:54:17Z');
  assert.equal(at('1986-05-04 02:30', 'Asia/Shanghai'), '1986-05-03T18:30:00Z'); // skipped: is 03:30 daylight time
  assert.equal(at('1986-09-14 01:30', 'Asia/Shanghai'), '1986-09-13T16:30:00Z'); // twice: the earlier
  assert.equal(at('2024-03-10 02:30', 'America/New_York'), '2024-03-10T07:30:00Z');
  assert.equal(at('2024-11-03 01:30', 'America/New_York'), '2024-11-03T05:30:00Z');
  assert.equal(at('2024-11-03 01:30-05:00', 'America/New_York'), '2024-11-03T06:30:00Z');
});

test('days begin at the first moment that shows them', () => {
  assert.equal(start('2026-11-23', 'Asia/Shanghai'), '2026-11-22T16:00:00Z');
  assert.equal(start('2018-11-04', 'America/Sao_Paulo'), '2018-11-04T03:00:00Z'); // 00:00 is skipped
  assert.equal(start('2018-02-18', 'America/Sao_Paulo'), '2018-02-18T03:00:00Z'); // 23:00 comes twice the day before
  // The island left 2011-12-30 out: it begins when the 31st does, and has no moments.
  assert.equal(start('2011-12-30', 'Pacific/Apia'), '2011-12-30T10:00:00Z');
  assert.equal(start('2011-12-31', 'Pacific/Apia'), '2011-12-30T10:00:00Z');
  // At 00:01 the clock went back to 23:01: the day had begun, and does not end again.
  assert.equal(start('1990-10-28', 'America/St_Johns'), '1990-10-28T02:30:00Z');
  const repeated = parseInstant('1990-10-28T03:00:00Z', getZone('America/St_Johns')) ?? assert.fail();
  assert.equal(formatLocal(getZone('America/St_Johns').localOfInstant(repeated)), '1990-10-27T23:30:00');
  assert.equal(formatDate(getZone('America/St_Johns').civilDay(repeated)), '1990-10-28');
});

const someZone = fc.constantFrom(...ZONES).map(getZone);
const someInstant = fc.oneof(
  fc.bigInt({ min: MIN_INSTANT, max: END_OF_INSTANTS - 1n }),
  fc.bigInt({ min: -2_500_000_000_000_000n, max: 2_500_000_000_000_000n }),
);

/** Moments close to where the clock changes. */
const instantNearChange = fc
  .tuple(someZone, fc.nat(), fc.integer({ min: -90_000, max: 90_000 }))
  .map(([zone, which, by]) => {
    const changes = zone.transitionsBetween(-5_000_000_000, 4_200_000_000);
    const change = changes[which % Math.max(changes.length, 1)];
    return { zone, micros: BigInt((change?.atSeconds ?? 0) + by) * 1_000_000n };
  });
const zoneAndInstant = fc.oneof(fc.record({ zone: someZone, micros: someInstant }), instantNearChange);

test('offsets are those that Intl itself gives', () => {
  fc.assert(
    fc.property(zoneAndInstant, ({ zone, micros }) => {
      fc.pre(micros > MIN_INSTANT + 90_000_000_000n);
      const format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone.name,
        hourCycle: 'h23',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
        hour: '2-digit',
        minute: '2-digit',
        second: '2-digit',
      });
      const seconds = micros - (((micros % 1_000_000n) + 1_000_000n) % 1_000_000n);
      const parts = new Map(
        format.formatToParts(Number(seconds / 1000n)).map(({ type, value }) => [type, value]),
      );
      const shown = `${parts.get('year')?.padStart(4, '0')}-${parts.get('month')}-${parts.get('day')}T${parts.get('hour')}:${parts.get('minute')}:${parts.get('second')}`;
      assert.equal(formatLocal(zone.localOfInstant(seconds)), shown);
    }),
    { numRuns: 500 },
  );
});

test('a civil day is exactly the moments from its beginning to that of the next', () => {
  fc.assert(
    fc.property(zoneAndInstant, ({ zone, micros }) => {
      const civilDay = zone.civilDay(micros);
      assert.ok(zone.startOfDay(civilDay) <= micros);
      assert.ok(micros < zone.startOfDay(civilDay + 1));
    }),
    { numRuns: 2000 },
  );
});

test('a moment’s local time leads back to it, or to the earlier one that shows the same', () => {
  fc.assert(
    fc.property(zoneAndInstant, ({ zone, micros }) => {
      const back = zone.instantOfLocal(zone.localOfInstant(micros));
      assert.ok(back <= micros);
      assert.equal(zone.localOfInstant(back), zone.localOfInstant(micros));
    }),
    { numRuns: 2000 },
  );
});
