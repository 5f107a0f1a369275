/**
 * DuckDB. A text is compared by bytes, which for UTF-8 is by code point. Traps that this file goes around: a decimal
 * literal of more than 38 digits, leading zero included, is a DOUBLE, and so is a DECIMAL beside a HUGEINT; a long
 * NOT IN list is compared one by one with every row, where a list in a subquery is hashed.
 */
import type { Decimal } from '../decimal.js';
import { type DecimalColumn, type Dialect, formatUnscaled, STANDARD } from './dialect.js';

/** Up to here an integer or decimal literal has a type that stays a DECIMAL beside the column's. */
const PLAIN_LITERAL_DIGITS = 18;
/** From here on, hashing a list costs less than comparing one by one. */
const HASHED_LIST_LENGTH = 100;

export const duckdb = {
  ...STANDARD,
  name: 'duckdb',
  decimal: (unscaled: bigint, { precision, scale }: DecimalColumn) => {
    const text = formatUnscaled(unscaled, scale);
    return precision <= PLAIN_LITERAL_DIGITS ? text : `CAST('${text}' AS DECIMAL(${precision}, ${scale}))`;
  },
  matches: (text, pattern) => `regexp_full_match(${text}, '${pattern}')`,
  startsWith: (text, prefix) => `starts_with(${text}, ${prefix})`,
  contains: (text, part) => `contains(${text}, ${part})`,
  // .5 is how DuckDB writes a DECIMAL that has no digit before the point.
  textOfDecimal: (decimal) => `regexp_replace(CAST(${decimal} AS VARCHAR), '^(-?)[.]', '\\10.')`,
  longList: { from: HASHED_LIST_LENGTH, rows: (literals) => `SELECT unnest([${literals.join(', ')}])` },
  // No DECIMAL holds all numbers of 38 digits, since the point may be anywhere. So numbers become texts that sort as
  // they do: for 18.5, `1` for not negative, `02` digits before the point, `185`.
  numberOfText: (text) => {
    const digits = significant(text);
    const key = `lpad(CAST(length(${integerPart(text)}) AS VARCHAR), 2, '0') || ${digits}`;
    return `CASE WHEN starts_with(${text}, '-') AND ${digits} <> '' THEN '0' || translate(${key}, '0123456789', '9876543210') || '~' ELSE '1' || ${key} END`;
  },
  numberOfTextLiteral: (value) => `'${sortKeyOf(value)}'`,
  significantDigits: (text) => `length(${significant(text)})`,
} as const satisfies Dialect;

function integerPart(text: string): string {
  return `ltrim(split_part(ltrim(${text}, '-'), '.', 1), '0')`;
}

function significant(text: string): string {
  return `(${integerPart(text)} || rtrim(split_part(${text}, '.', 2), '0'))`;
}

/**
 * A text of digits that sorts as the number does: `1`, two digits that count the digits before the point, and all
 * digits; for negative numbers `0`, the same with every digit d turned into 9 − d, and `~`, so that −12 is above −12.5.
 */
export function sortKeyOf({ unscaled, scale }: Decimal): string {
  const negative = unscaled < 0n;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, '0');
  const integer = digits.slice(0, digits.length - scale).replace(/^0+/, '');
  const key = String(integer.length).padStart(2, '0') + integer + digits.slice(digits.length - scale);
  return negative ? `0${key.replace(/[0-9]/g, (digit) => String(9 - Number(digit)))}~` : `1${key}`;
}
