/** Days and moments around a few that matter: changes of a zone's offset, year ends, the ends of the calendar. */

import {
  dayOfMicros,
  END_OF_INSTANTS,
  formatLocal,
  isDay,
  isInstant,
  MICROS_PER_DAY,
  MIN_INSTANT,
} from '../../rules/civil.js';
import { type Anchor, formatDate, formatInstant, type Zone } from '../../rules/index.js';
import type { Random } from './random.js';

const SECOND = 1_000_000n;
const MINUTE = 60n * SECOND;
const HOUR = 60n * MINUTE;
const STEPS = [
  0n,
  0n,
  0n,
  1n,
  -1n,
  // .5 and .049999: the longer one is the smaller.
  500_000n,
  49_999n,
  SECOND,
  -SECOND,
  30n * MINUTE,
  -30n * MINUTE,
  HOUR,
  -HOUR,
  12n * HOUR,
] as const;
const DAY_STEPS = [0n, 0n, 0n, 1n, -1n, 2n] as const;

/** The moments (µs) that a world's datetimes lie at or beside. */
export function pickMoments(random: Random, zone: Zone, anchor: Anchor): readonly bigint[] {
  const transitions = zone.transitionsBetween(Date.UTC(1800, 0) / 1000, Date.UTC(2150, 0) / 1000);
  // Among the first changes of a zone are the whole days that it repeated or left out long ago.
  const ofZone = [
    transitions[random.int(3)],
    ...[1, 2].map(() => transitions[random.int(transitions.length)]),
  ]
    .filter((transition) => transition !== undefined)
    .map(({ atSeconds }) => BigInt(atSeconds) * SECOND);
  const yearEnd = BigInt(Date.UTC(random.between(1890, 2100), 0)) * 1_000n;
  const leapDay = BigInt(Date.UTC(random.pick([1900, 1996, 2000, 2023, 2024]), 1, 28)) * 1_000n + 20n * HOUR;
  const here = anchor.kind === 'dt' ? zone.startOfDay(anchor.day + 1) : anchor.micros;
  return [...ofZone, yearEnd, leapDay, here, here, random.pick([0n, MIN_INSTANT, END_OF_INSTANTS - 1n])];
}

/** Possibly just beyond the calendar. */
export function generateMoment(random: Random, moments: readonly bigint[]): bigint {
  return random.pick(moments) + random.pick(STEPS) + random.pick(DAY_STEPS) * MICROS_PER_DAY;
}

/** A day that the calendar has. */
export function generateDay(random: Random, moments: readonly bigint[], zone: Zone): number {
  const moment = generateMoment(random, moments);
  const day = dayOfMicros(zone.localOfInstant(moment));
  return isDay(day) ? day : 0;
}

export function generateDateLiteral(random: Random, moments: readonly bigint[], zone: Zone): string {
  return JSON.stringify(formatDate(generateDay(random, moments, zone)));
}

/** An instant in one of the ways that literals and texts write it; at times a wall clock's time that a zone skips. */
export function writeMoment(random: Random, micros: bigint, zone: Zone): string {
  const form = random.int(6);
  if (form === 0) return formatInstant(micros);
  if (form === 1) return formatInstant(micros).replace('T', ' ');
  if (form <= 3) return shorten(random, formatLocal(zone.localOfInstant(micros)));
  const offset = random.pick([0, 330, 480, -300, 840, 1_139, -1_139, 345, -30]);
  const sign = offset < 0 ? '-' : '+';
  const [hours, minutes] = [Math.trunc(Math.abs(offset) / 60), Math.abs(offset) % 60];
  const local = formatLocal(micros + BigInt(offset) * MINUTE);
  return `${shorten(random, local)}${sign}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;
}

function shorten(random: Random, local: string): string {
  const text = random.chance(0.3) ? local.replace('T', ' ') : local;
  if (text.endsWith(':00') && random.chance(0.5)) return text.slice(0, -3);
  if (random.chance(0.3)) return text.includes('.') ? text.padEnd(26, '0') : `${text}.0`;
  return text;
}

export function generateMomentLiteral(random: Random, moments: readonly bigint[], zone: Zone): string {
  const moment = generateMoment(random, moments);
  return JSON.stringify(writeMoment(random, isInstant(moment) ? moment : 0n, zone));
}

/** `{"relative":"-30d"}`, often such that it lands at one of the moments. */
export function generateRelative(
  random: Random,
  moments: readonly bigint[],
  anchor: Anchor,
  units: readonly ('d' | 'h' | 'm')[],
): string {
  const unit = random.pick(units);
  const micros = { d: MICROS_PER_DAY, h: HOUR, m: MINUTE }[unit];
  const limit = { d: 36_500n, h: 876_000n, m: 52_560_000n }[unit];
  const here = anchor.kind === 'dt' ? BigInt(anchor.day + 1) * MICROS_PER_DAY : anchor.micros;
  const exact = (random.pick(moments) - here) / micros + BigInt(random.between(-1, 1));
  const amount = exact < -limit || exact > limit ? BigInt(random.between(-40, 5)) : exact;
  return `{"relative":"${amount > 0n && random.chance(0.3) ? '+' : ''}${amount}${unit}"}`;
}

export const NOT_DATES = [
  '',
  '0000-01-01',
  '0000-12-31',
  '2023-02-29',
  '1900-02-29',
  '2023-04-31',
  '2023-13-01',
  '2023-00-10',
  '2023-01-00',
  '2023-1-1',
  '10000-01-01',
  '-0001-01-01',
  '2023-01-01 ',
  ' 2023-01-01',
  '2023-01-01\n',
  '2023/01/01',
  '2023-01-01T00:00:00',
  '２０２３-01-01',
  'infinity',
  '-infinity',
  'epoch',
  'today',
  '0044-03-15 (BC)',
  '0044-03-15 BC',
  'null',
] as const;

export const NOT_COMPACT_DATES = [
  '',
  '00000101',
  '20230229',
  '20230431',
  '20231301',
  '20230100',
  '2023011',
  '202301011',
  '2023-01-01',
  ' 20230101',
  '20230101\n',
  '-2023011',
  '２０２３０１０１',
  '99999999',
] as const;

export const NOT_COMPACT_INTEGERS = [
  '0',
  '-1',
  '10100',
  '10100101',
  '99991232',
  '100000101',
  '-19980531',
  '20230229',
  '101',
] as const;

export const NOT_INSTANTS = [
  '',
  '2023-01-01',
  '2023-01-01T24:00:00',
  '2023-01-01T23:59:60',
  '2023-01-01T23:60',
  '2023-01-01t00:00:00',
  '2023-01-01T00:00:00z',
  '2023-01-01  00:00:00',
  '2023-01-01T00:00:00.',
  '2023-01-01T00:00:00.1234567',
  '2023-01-01T00:00:00+0800',
  '2023-01-01T00:00:00+08',
  '2023-01-01T00:00:00+19:00',
  '2023-01-01T00:00:00+18:60',
  '2023-01-01T00:00:00 +08:00',
  '2023-01-01T00:00:00 UTC',
  '2023-01-01T0:00',
  '2023-02-29T00:00',
  '0000-12-31T23:59:59Z',
  '0001-01-01T00:00:00+00:01',
  '0001-01-01T00:00:00+18:59',
  '9999-12-31T23:59:59-00:01',
  '9999-12-31T23:59:59.999999-18:59',
  '10000-01-01T00:00:00Z',
  'now',
  'infinity',
  '1678886400',
] as const;

export const NOT_EPOCHS = [
  '',
  '+1',
  ' 1',
  '1\n',
  '1.0',
  '1e3',
  '--1',
  '-',
  '１',
  '0x1',
  '253402300800000',
  '-62135596800001',
  '999999999999999999',
  '1000000000000000000',
  '9223372036854775808',
  '9'.repeat(40),
  `-${'9'.repeat(400)}`,
] as const;
