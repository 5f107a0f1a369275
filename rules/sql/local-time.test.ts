import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isInstant, MICROS_PER_SECOND } from '../civil.js';
import { includes } from '../ranges.js';
import { getZone } from '../zone.js';
import { knownLocalTimes, localTimesOf } from './local-time.js';

/** Gaps and overlaps at midnight and across it, of half an hour, of odd seconds, of a whole day either way. */
const ZONES = [
  'Asia/Shanghai',
  'America/New_York',
  'America/Sao_Paulo',
  'Europe/London',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'Pacific/Apia',
  'America/Havana',
  'Africa/Casablanca',
  'UTC',
  'America/St_Johns',
  'Asia/Manila',
  'America/Juneau',
  'Africa/Monrovia',
];
const FROM_SECONDS = Date.UTC(1800, 0) / 1000;
const TO_SECONDS = Date.UTC(2110, 0) / 1000;

for (const name of ZONES) {
  test(`wall-clock times of a set of moments: ${name}`, () => {
    const zone = getZone(name);
    const transitions = zone.transitionsBetween(FROM_SECONDS, TO_SECONDS).map(({ atSeconds }) => atSeconds);
    const around = fc
      .tuple(fc.constantFrom(...transitions, 0), fc.integer({ min: -93_600, max: 93_600 }))
      .map(([at, distance]) => BigInt(at + distance) * MICROS_PER_SECOND);
    const near = fc
      .tuple(around, fc.constantFrom(0n, 1n, -1n, 1_800_000_000n, 3_600_000_000n))
      .map(([at, distance]) => at + distance);
    fc.assert(
      fc.property(near, near, fc.array(near, { minLength: 5, maxLength: 20 }), (a, b, times) => {
        const moments = a < b ? [{ from: a, to: b }] : [{ from: b, to: a + 1n }];
        const local = localTimesOf(moments, zone);
        const bounds = local.flatMap(({ from, to }) => [from, to]).filter((bound) => bound !== null);
        for (const time of [...times, ...bounds, ...bounds.map((bound) => bound - 1n)]) {
          assert.equal(includes(local, time), includes(moments, zone.instantOfLocal(time)));
        }
      }),
      { numRuns: 300 },
    );
  });

  test(`wall-clock times that are moments of the calendar: ${name}`, () => {
    const zone = getZone(name);
    const known = knownLocalTimes(zone);
    for (const bound of known.flatMap(({ from, to }) => [from, to])) {
      assert.ok(bound !== null);
      for (const time of [bound - 1n, bound]) {
        assert.equal(includes(known, time), isInstant(zone.instantOfLocal(time)));
      }
    }
  });
}
