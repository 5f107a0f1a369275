/**
 * PostgreSQL (14 and later). Its NUMERIC is exact at any size, so numbers need no care but for NaN, which it also
 * holds; comparisons of texts are by the column's collation unless said otherwise.
 */
import { formatDecimal } from '../decimal.js';
import { checkText, type DecimalColumn, type Dialect, formatUnscaled, STANDARD } from './dialect.js';

export const postgres = {
  ...STANDARD,
  name: 'postgres',
  // In an E'…' text a backslash is written twice whatever standard_conforming_strings is.
  string: (value: string) =>
    value.includes('\\')
      ? `E'${checkText(value).replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
      : STANDARD.string(value),
  decimal: (unscaled: bigint, { scale }: DecimalColumn) => formatUnscaled(unscaled, scale),
  matches: (text, pattern) => `${text} ~ '^(${pattern})$'`,
  startsWith: (text, prefix) => `starts_with(${text}, ${prefix})`,
  contains: (text, part) => `strpos(${text}, ${part}) > 0`,
  byCodePoint: (text) => `${text} COLLATE "C"`,
  numberOrNull: (decimal) => `NULLIF(${decimal}, 'NaN')`,
  longList: null,
  // NUMERIC takes 16,383 digits after the point at the most, hence without the zeros at the end.
  numberOfText: (text) =>
    `CAST(split_part(${text}, '.', 1) || '.' || rtrim(split_part(${text}, '.', 2), '0') || '0' AS NUMERIC)`,
  numberOfTextLiteral: (value) => formatDecimal(value),
  significantDigits: (text) =>
    `length(ltrim(split_part(ltrim(${text}, '-'), '.', 1), '0') || rtrim(split_part(${text}, '.', 2), '0'))`,
} as const satisfies Dialect;
