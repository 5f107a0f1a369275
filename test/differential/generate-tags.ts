/** Tags of every type, column and format, each with what its literals and its column's values look like. */

import {
  floorDivide,
  formatInstant,
  formatLocal,
  isInstant,
  MICROS_PER_DAY,
  MIN_INSTANT,
} from '../../rules/civil.js';
import type { Anchor, Tag, TagFields, Zone } from '../../rules/index.js';
import { createTag, formatDate, OPERATORS_OF_TYPE, type TagOperator } from '../../rules/index.js';
import {
  generateDateLiteral,
  generateDay,
  generateMoment,
  generateMomentLiteral,
  generateRelative,
  NOT_COMPACT_DATES,
  NOT_COMPACT_INTEGERS,
  NOT_DATES,
  NOT_EPOCHS,
  NOT_INSTANTS,
  pickMoments,
  writeMoment,
} from './generate-datetimes.js';
import {
  decimalRange,
  generateHeld,
  generateNumberLiteral,
  integerRange,
  NOT_NUMBERS,
  type NumberRange,
  pickCentres,
  respell,
} from './generate-numbers.js';
import { generateText, varyText } from './generate-texts.js';
import type { Random } from './random.js';

export interface GeneratedTag {
  readonly fields: TagFields;
  readonly tag: Tag;
  /** The column's type, as both engines name it. */
  readonly sqlType: string;
  readonly operators: readonly TagOperator[];
  /** A literal as JSON text. */
  readonly literal: () => string;
  /** What the column holds, as text, and not NULL. */
  readonly raw: () => string;
}

interface Place {
  readonly random: Random;
  readonly zone: Zone;
  readonly anchor: Anchor;
  readonly moments: readonly bigint[];
}

type Values = Pick<GeneratedTag, 'literal' | 'raw'>;
type Draft = Values & { readonly type: Tag['type']; readonly format?: string; readonly sqlType: string };

/** How often a column of texts holds no value of its format. */
const JUNK = 0.12;

export function generateTags(random: Random, zone: Zone, anchor: Anchor): readonly GeneratedTag[] {
  const place: Place = { random, zone, anchor, moments: pickMoments(random, zone, anchor) };
  const precision = random.between(1, 38);
  const scale = random.between(0, precision);
  const text = () => random.pick(TEXT_TYPES);
  const near = (...moments: readonly bigint[]): Place => ({ ...place, moments });
  const drafts: readonly Draft[] = [
    ...TEXT_TYPES.map((sqlType) => ({ type: 'enum' as const, sqlType, ...texts(random) })),
    { type: 'enum', sqlType: 'VARCHAR', ...texts(random) },
    ...[8, 16, 32, 64].map((bits) => ({
      type: 'numeric' as const,
      sqlType: INTEGER_TYPES[bits] ?? '',
      ...numbers(random, integerRange(bits)),
    })),
    {
      type: 'numeric',
      sqlType: `DECIMAL(${precision}, ${scale})`,
      ...decimals(random, precision, scale),
    },
    { type: 'numeric', sqlType: 'DECIMAL(10, 2)', ...decimals(random, 10, 2) },
    { type: 'numeric', sqlType: 'DECIMAL(38, 38)', ...decimals(random, 38, 38) },
    { type: 'numeric', sqlType: 'DECIMAL(38, 0)', ...decimals(random, 38, 0) },
    // DuckDB makes DECIMAL(18, 3) of it.
    { type: 'numeric', sqlType: 'DECIMAL', ...decimals(random, 18, 3) },
    ...[0, 1].map(() => ({ type: 'numeric' as const, sqlType: text(), ...numberTexts(random) })),
    { type: 'boolean', sqlType: 'BOOLEAN', ...booleans(random, ['true', 'false']) },
    {
      type: 'boolean',
      sqlType: text(),
      ...booleans(random, ['true', 'false', '1', '0', 'TRUE', 't', 'yes', '', ' 1', '01']),
    },
    {
      type: 'datetime',
      sqlType: 'DATE',
      ...days(place, formatDate, ['infinity', '-infinity', '10000-01-01']),
    },
    { type: 'datetime', format: 'date', sqlType: text(), ...days(place, formatDate, NOT_DATES) },
    {
      type: 'datetime',
      format: 'date:yyyymmdd',
      sqlType: text(),
      ...days(place, compact, NOT_COMPACT_DATES),
    },
    // Days of the first years alone fit, and none into 8 bits.
    {
      type: 'datetime',
      format: 'date:yyyymmdd',
      sqlType: 'TINYINT',
      ...days(place, () => '0', ['127', '-128']),
    },
    {
      type: 'datetime',
      format: 'date:yyyymmdd',
      sqlType: 'SMALLINT',
      ...days(near(MIN_INSTANT + 30n * MICROS_PER_DAY), compactInteger, ['0', '10100', '10132', '-10101']),
    },
    {
      type: 'datetime',
      format: 'date:yyyymmdd',
      sqlType: 'INTEGER',
      ...days(place, compactInteger, NOT_COMPACT_INTEGERS),
    },
    {
      type: 'datetime',
      format: 'date:yyyymmdd',
      sqlType: 'BIGINT',
      ...days(place, compactInteger, [...NOT_COMPACT_INTEGERS, '19980630000000']),
    },
    { type: 'datetime', sqlType: 'TIMESTAMP', ...moments(place, wallClock(place), NATIVE_EXTREMES) },
    {
      type: 'datetime',
      sqlType: 'TIMESTAMP WITH TIME ZONE',
      ...moments(
        place,
        formatInstant,
        NATIVE_EXTREMES.map((text) => text.replace(/\d$/, '$&+00:00')),
      ),
    },
    // One of them with few moments, so that values and literals differ in little but how they are written.
    ...[place, near(random.pick(place.moments))].map((where) => ({
      type: 'datetime' as const,
      format: 'instant',
      sqlType: text(),
      ...moments(where, (micros) => writeMoment(random, micros, zone), NOT_INSTANTS),
    })),
    {
      type: 'datetime',
      format: 'instant:epoch_seconds',
      sqlType: text(),
      ...zeroPadded(random, epochs(place, 1_000_000n, NOT_EPOCHS)),
    },
    {
      type: 'datetime',
      format: 'instant:epoch_millis',
      sqlType: text(),
      ...zeroPadded(random, epochs(place, 1_000n, NOT_EPOCHS)),
    },
    ...[1_000_000n, 1_000n].flatMap((microsPerUnit) =>
      [8, 16, 32].map(
        (bits): Draft => ({
          type: 'datetime',
          format: microsPerUnit === 1_000n ? 'instant:epoch_millis' : 'instant:epoch_seconds',
          sqlType: INTEGER_TYPES[bits] ?? '',
          ...narrowEpochs(place, microsPerUnit, bits),
        }),
      ),
    ),
    {
      type: 'datetime',
      format: 'instant:epoch_seconds',
      sqlType: 'BIGINT',
      ...epochs(place, 1_000_000n, FAR_EPOCHS),
    },
    {
      type: 'datetime',
      format: 'instant:epoch_millis',
      sqlType: 'BIGINT',
      ...epochs(place, 1_000n, FAR_EPOCHS),
    },
  ];
  return drafts.map((draft, index) => finish(random, draft, index));
}

/** All of them hold texts of any length that are generated here. */
const TEXT_TYPES = ['TEXT', 'VARCHAR', 'CHAR(500)'] as const;
const INTEGER_TYPES: Readonly<Record<number, string>> = {
  8: 'TINYINT',
  16: 'SMALLINT',
  32: 'INTEGER',
  64: 'BIGINT',
};
const NATIVE_EXTREMES = [
  'infinity',
  '-infinity',
  '10000-01-01 00:00:00',
  '0001-01-01 00:00:00',
  '9999-12-31 23:59:59.999999',
];
const FAR_EPOCHS = [
  '9223372036854775807',
  '-9223372036854775808',
  '253402300800',
  '-62135596801',
  '253402300800000',
  '-62135596800001',
];

function finish(random: Random, draft: Draft, index: number): GeneratedTag {
  const fields: TagFields = {
    tag_code: `t${index}`,
    tag_type: draft.type,
    source_field: random.chance(0.3)
      ? `${random.pick(['col "x" ', "o'", '列', 'a\\b', 'select ', '%'])}${index}`
      : `t${index}`,
    source_type: draft.sqlType,
    value_format: draft.format ?? null,
  };
  const created = createTag(fields);
  if (!created.ok) throw new Error(created.diagnostics.map(({ message }) => message).join(' '));
  const { column } = created.value;
  const isPadded = column.kind === 'text' && column.padded;
  const raw = () => (isPadded ? draft.raw().replace(/ +$/, '') : draft.raw());
  return { ...draft, fields, tag: created.value, operators: OPERATORS_OF_TYPE[draft.type], raw };
}

function texts(random: Random): Values {
  const pool = random.list(4, 8, () => generateText(random));
  const near = () => varyText(random, random.pick(pool));
  return { literal: () => JSON.stringify(near()), raw: near };
}

function numbers(random: Random, range: NumberRange): Values {
  const centres = pickCentres(random, range);
  return {
    literal: () => generateNumberLiteral(random, range, centres),
    raw: () => generateHeld(random, range, centres),
  };
}

function decimals(random: Random, precision: number, scale: number): Values {
  const { literal, raw } = numbers(random, decimalRange(precision, scale));
  return { literal, raw: () => (random.chance(0.05) ? 'NaN' : raw()) };
}

function numberTexts(random: Random): Values {
  const scale = random.pick([0, 2, 10, 37, 38]);
  const values = numbers(random, decimalRange(38, scale));
  return {
    literal: values.literal,
    raw: () => (random.chance(JUNK) ? random.pick(NOT_NUMBERS) : respell(random, values.raw())),
  };
}

function booleans(random: Random, raws: readonly string[]): Values {
  return { literal: () => random.pick(['true', 'false']), raw: () => random.pick(raws) };
}

function days(place: Place, write: (day: number) => string, junk: readonly string[]): Values {
  const { random, zone, anchor, moments: near } = place;
  return {
    literal: () =>
      random.chance(0.35)
        ? generateRelative(random, near, anchor, ['d'])
        : generateDateLiteral(random, near, zone),
    raw: () => (random.chance(JUNK) ? random.pick(junk) : write(generateDay(random, near, zone))),
  };
}

function compact(day: number): string {
  return formatDate(day).replaceAll('-', '');
}

function compactInteger(day: number): string {
  return String(Number(compact(day)));
}

function moments(place: Place, write: (micros: bigint) => string, junk: readonly string[]): Values {
  const { random, zone, anchor, moments: near } = place;
  return {
    literal: () => {
      if (random.chance(0.25)) return generateRelative(random, near, anchor, ['d', 'h', 'm']);
      return random.chance(0.35)
        ? generateDateLiteral(random, near, zone)
        : generateMomentLiteral(random, near, zone);
    },
    raw: () => {
      const moment = generateMoment(random, near);
      return random.chance(JUNK) || !isInstant(moment) ? random.pick(junk) : write(moment);
    },
  };
}

/** A wall clock's time, at times one that the zone skips. */
function wallClock({ random, zone }: Place): (micros: bigint) => string {
  return (micros) => {
    const local = random.chance(0.7)
      ? zone.localOfInstant(micros)
      : micros + BigInt(zone.offsetAt(0)) * 1_000_000n;
    // The years 0000 and 10000 are written differently by each engine.
    return formatLocal(isInstant(local) ? local : micros);
  };
}

/** Few moments of a world fit into so few bits: these are others. */
function narrowEpochs(place: Place, microsPerUnit: bigint, bits: number): Values {
  const { random } = place;
  const end = 2 ** (bits - 1);
  const held = [0, end - 1, -end, ...random.list(3, 5, () => random.between(-end, end - 1))];
  const { literal } = moments(place, String, []);
  const moment = () => BigInt(random.pick(held)) * microsPerUnit + random.pick([0n, 0n, 0n, 1n, -1n]);
  return {
    literal: () =>
      random.chance(0.7) ? JSON.stringify(writeMoment(random, moment(), place.zone)) : literal(),
    raw: () => String(random.pick(held)),
  };
}

/** At times with zeros before the number that say nothing. */
function zeroPadded(random: Random, { literal, raw }: Values): Values {
  const zeros = () => (random.chance(0.2) ? '0'.repeat(random.pick([1, 20])) : '');
  return { literal, raw: () => raw().replace(/^(-?)([0-9])/, `$1${zeros()}$2`) };
}

function epochs(place: Place, microsPerUnit: bigint, junk: readonly string[], bits = 64): Values {
  const { literal } = moments(place, String, junk);
  const { random, moments: near } = place;
  const end = 2n ** BigInt(bits - 1);
  return {
    literal,
    raw: () => {
      const epoch = floorDivide(generateMoment(random, near), microsPerUnit);
      return random.chance(JUNK) || epoch < -end || epoch >= end ? random.pick(junk) : String(epoch);
    },
  };
}
