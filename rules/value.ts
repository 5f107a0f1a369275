/** From what a column holds to what a rule compares: the one place that says which texts are values. */
import {
  dayOfDate,
  END_OF_INSTANTS,
  isInstant,
  MIN_INSTANT,
  parseDate,
  parseWrittenInstant,
} from './civil.js';
import { type Decimal, parseDecimal } from './decimal.js';
import type { Tag, ValueFormat } from './tag.js';
import type { Zone } from './zone.js';

/**
 * By type of tag: enum string; numeric Decimal; boolean boolean; a datetime of days a number (days since 1970-01-01);
 * a datetime of moments a bigint (microseconds since 1970-01-01T00:00:00Z).
 */
export type Value = string | Decimal | boolean | number | bigint;

/** A user's tags: the text of what each column holds by tag code; NULL is null or missing. */
export type Row = ReadonlyMap<string, string | null>;

/**
 * The value of a tag from the text of what its column holds, or null: for NULL, and for a text that is no value of the
 * tag's type and format. `zone` is the platform's; moments that are written without an offset are in it.
 */
export function decodeValue(tag: Tag, raw: string | null | undefined, zone: Zone): Value | null {
  if (raw === null || raw === undefined) return null;
  switch (tag.type) {
    case 'enum':
      return raw;
    case 'numeric':
      return parseDecimal(raw);
    case 'boolean':
      return decodeBoolean(raw);
    case 'datetime':
      return decodeDatetime(tag, raw, zone);
  }
}

/** Does the tag hold civil days rather than moments? */
export function isDayTag({ format }: Tag): boolean {
  return format === 'date' || format === 'date:yyyymmdd';
}

/** Reads a moment as literals and columns write it; null where it is none, or outside the years 0001 to 9999 in UTC. */
export function parseInstant(text: string, zone: Zone): bigint | null {
  const written = parseWrittenInstant(text);
  if (written === null) return null;
  const { localMicros, offsetSeconds } = written;
  const micros =
    offsetSeconds === null
      ? zone.instantOfLocal(localMicros)
      : localMicros - BigInt(offsetSeconds) * 1_000_000n;
  return isInstant(micros) ? micros : null;
}

function decodeBoolean(raw: string): boolean | null {
  if (raw === 'true' || raw === '1') return true;
  return raw === 'false' || raw === '0' ? false : null;
}

function decodeDatetime(tag: Tag, raw: string, zone: Zone): Value | null {
  const format: ValueFormat | null = tag.format;
  switch (format) {
    case null:
      throw new Error(`The datetime tag ${tag.code} has no format.`);
    case 'date':
      return parseDate(raw);
    case 'date:yyyymmdd':
      return parseCompactDate(tag.column.kind === 'integer' ? padInteger(raw) : raw);
    case 'instant':
      return parseInstant(raw, zone);
    case 'instant:epoch_seconds':
      return parseEpoch(raw, 1_000_000n);
    case 'instant:epoch_millis':
      return parseEpoch(raw, 1_000n);
  }
}

/** 10101 is year 1, January 1. */
function padInteger(raw: string): string {
  const digits = /^0*([0-9]+)$/.exec(raw)?.[1] ?? '';
  return digits.padStart(8, '0');
}

function parseCompactDate(text: string): number | null {
  return /^[0-9]{8}$/.test(text)
    ? dayOfDate(Number(text.slice(0, 4)), Number(text.slice(4, 6)), Number(text.slice(6)))
    : null;
}

// Compared as text first: BigInt takes quadratic time, and a column may hold a million digits.
const MAX_EPOCH_DIGITS = String(END_OF_INSTANTS - MIN_INSTANT).length;

function parseEpoch(raw: string, microsPerUnit: bigint): bigint | null {
  const [, sign, digits] = /^(-?)0*([0-9]+)$/.exec(raw) ?? [];
  if (digits === undefined || digits.length > MAX_EPOCH_DIGITS) return null;
  const micros = BigInt(digits) * microsPerUnit * (sign === '-' ? -1n : 1n);
  return isInstant(micros) ? micros : null;
}
