/**
 * What SQL engines differ in. The compiler (compile.ts and the files beside it) decides what a rule means in SQL; a
 * dialect says how that is written. A further engine is one more object of this type.
 *
 * Nothing outside a dialect's literal and identifier printers turns a value into SQL text, and nothing depends on a
 * session's settings: time zone, date style, locale, escape syntax. What is asked of columns of texts is a collation that
 * takes different texts for different, as all do that were not chosen otherwise (NOCASE, or a nondeterministic one).
 */
import { formatDate, formatLocal } from '../civil.js';
import { type Decimal, formatDecimal } from '../decimal.js';
import type { ColumnType } from '../tag.js';
import { findForbidden } from '../text.js';

export type DialectName = 'duckdb' | 'postgres';
export type DecimalColumn = Extract<ColumnType, { kind: 'decimal' }>;

export interface Dialect {
  readonly name: DialectName;

  // Literals and identifiers.
  /** Throws a RangeError for U+0000 and lone surrogates, which the checker has refused long before. */
  readonly string: (value: string) => string;
  readonly boolean: (value: boolean) => string;
  /** |value| < 2^63, or 2^63 negated. */
  readonly integer: (value: bigint) => string;
  /** unscaled × 10^-scale, which the column can hold. */
  readonly decimal: (unscaled: bigint, column: DecimalColumn) => string;
  /** A day since 1970-01-01, of the years 0001 to 9999. */
  readonly date: (day: number) => string;
  /** Microseconds of a wall clock, of the years 0001 to 9999. */
  readonly localTimestamp: (localMicros: bigint) => string;
  /** Microseconds since 1970-01-01T00:00:00Z, of the years 0001 to 9999. */
  readonly utcInstant: (micros: bigint) => string;
  readonly identifier: (name: string) => string;

  // Expressions. Their arguments are SQL, except for literals as values.
  /** Does the whole text match? The pattern is an ASCII one of patterns.ts: no backslash, the same in every engine. */
  readonly matches: (text: string, pattern: string) => string;
  readonly startsWith: (text: string, prefix: string) => string;
  readonly contains: (text: string, part: string) => string;
  /** The text, compared by code point whatever the collation of the column. */
  readonly byCodePoint: (text: string) => string;
  /** The plain text of a decimal, with a digit before the point. */
  readonly textOfDecimal: (decimal: string) => string;
  /** NULL where a column of decimals holds what is no number. */
  readonly numberOrNull: (decimal: string) => string;
  /** Lists of `from` literals and more are a subquery that yields `rows`; null where an IN list of any length is fast. */
  readonly longList: { readonly from: number; readonly rows: (literals: readonly string[]) => string } | null;
  /** What a text that matches NUMBER, of at most 38 significant digits, is compared by … */
  readonly numberOfText: (text: string) => string;
  /** … and what such a text's value is compared with. */
  readonly numberOfTextLiteral: (value: Decimal) => string;
  /** The number of significant digits of a text that matches NUMBER. */
  readonly significantDigits: (text: string) => string;
}

/** What the engines agree on, as the SQL standard has it. */
export const STANDARD = {
  string: (value: string) => `'${checkText(value).replaceAll("'", "''")}'`,
  boolean: (value: boolean) => (value ? 'TRUE' : 'FALSE'),
  integer: (value: bigint) => String(value),
  date: (day: number) => `DATE '${formatDate(day)}'`,
  localTimestamp: (localMicros: bigint) => `TIMESTAMP '${formatSqlTimestamp(localMicros)}'`,
  utcInstant: (micros: bigint) => `TIMESTAMPTZ '${formatSqlTimestamp(micros)}+00'`,
  identifier: (name: string) => `"${checkText(name).replaceAll('"', '""')}"`,
  byCodePoint: (text: string) => text,
  textOfDecimal: (decimal: string) => `CAST(${decimal} AS VARCHAR)`,
  numberOrNull: (decimal: string) => decimal,
} as const satisfies Partial<Dialect>;

/** `1998-06-30 10:00:00.5`: to the second at least, without trailing zeros after it. */
export function formatSqlTimestamp(localMicros: bigint): string {
  return formatLocal(localMicros).replace('T', ' ');
}

/** The plain text of unscaled × 10^-scale, without zeros that say nothing. */
export function formatUnscaled(unscaled: bigint, scale: number): string {
  const text = formatDecimal({ approx: Number.NaN, unscaled, scale });
  return scale === 0 ? text : text.replace(/\.?0+$/, '');
}

export function checkText(value: string): string {
  const forbidden = findForbidden(value);
  if (forbidden !== null) throw new RangeError(`SQL text cannot hold ${forbidden}.`);
  return value;
}
