/**
 * Exact decimals of at most 38 significant digits.
 *
 * `approx` is the double nearest to the value. Rounding to nearest is monotonic, so where two approximations differ
 * they order the values rightly; only where they are equal must the exact parts be compared. That makes most
 * comparisons as cheap as those of doubles, and all of them exact.
 */
export interface Decimal {
  readonly approx: number;
  /** The value is unscaled × 10^-scale; scale ≥ 0 and minimal (no trailing zero in the fraction). */
  readonly unscaled: bigint;
  readonly scale: number;
}

/** Digits before the point without leading zeros, and after it without trailing zeros, together. */
export const MAX_DECIMAL_DIGITS = 38;

const DECIMAL_TEXT = /^(-?)0*([0-9]*)(?:\.([0-9]+))?$/;
const NUMBER_TEXT = /^-?[0-9]+(?:\.[0-9]+)?$/;

/** Reads `-?\d+(\.\d+)?` (ASCII digits). Null for any other text, and for more than 38 significant digits. */
export function parseDecimal(text: string): Decimal | null {
  if (!NUMBER_TEXT.test(text)) return null;
  const [, sign = '', integer = '', writtenFraction = ''] = DECIMAL_TEXT.exec(text) ?? [];
  const fraction = trimTrailingZeros(writtenFraction);
  if (integer.length + fraction.length > MAX_DECIMAL_DIGITS) return null;
  const magnitude = BigInt(integer + fraction);
  if (magnitude === 0n) return { approx: 0, unscaled: 0n, scale: 0 };
  return {
    approx: Number(text),
    unscaled: sign === '' ? magnitude : -magnitude,
    scale: fraction.length,
  };
}

// Not a regular expression: /0+$/ takes quadratic time on long runs of zeros that do not end the text.
function trimTrailingZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}

// A table, since BigInt's ** takes several times as long as the multiplication that the power is for.
const POWERS_OF_TEN = Array.from(
  { length: MAX_DECIMAL_DIGITS + 1 },
  (_, exponent) => 10n ** BigInt(exponent),
);

/** Negative, zero or positive as `a` is less than, equal to or greater than `b`; exact. */
export function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.approx !== b.approx) return a.approx < b.approx ? -1 : 1;
  const left = a.scale < b.scale ? scaleUp(a, b.scale) : a.unscaled;
  const right = b.scale < a.scale ? scaleUp(b, a.scale) : b.unscaled;
  return left < right ? -1 : left > right ? 1 : 0;
}

function scaleUp({ unscaled, scale }: Decimal, toScale: number): bigint {
  return unscaled * (POWERS_OF_TEN[toScale - scale] ?? 10n ** BigInt(toScale - scale));
}

/** The one shortest text of the value: `-12.5`, `0`, `0.001`. */
export function formatDecimal({ unscaled, scale }: Decimal): string {
  const sign = unscaled < 0n ? '-' : '';
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const point = digits.length - scale;
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The greatest integer n with n × 10^-scale ≤ value. */
export function floorToScale(value: Decimal, scale: number): bigint {
  if (scale >= value.scale) return scaleUp(value, scale);
  const divisor = 10n ** BigInt(value.scale - scale);
  const quotient = value.unscaled / divisor;
  return value.unscaled < 0n && quotient * divisor !== value.unscaled ? quotient - 1n : quotient;
}

/** The least integer n with n × 10^-scale ≥ value. */
export function ceilToScale(value: Decimal, scale: number): bigint {
  return -floorToScale({ ...value, unscaled: -value.unscaled }, scale);
}

/** Is the value a multiple of 10^-scale, that is, can a column of that scale hold it (width apart)? */
export function fitsScale(value: Decimal, scale: number): boolean {
  return value.scale <= scale;
}

/**
 * A JSON number's text with its exponent written out: `1.5e3` → `1500`, `1e-2` → `0.01`; others come back as they
 * are. Null where that would take more than `maxLength` characters, so that `1e999999999` costs nothing.
 */
export function writeOutExponent(number: string, maxLength = 1000): string | null {
  const [, sign = '', integer = '', fraction = '', exponent] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(number) ?? [];
  if (exponent === undefined) return number;
  const digits = integer + fraction;
  if (/^0*$/.test(digits)) return '0';
  const point = integer.length + Number(exponent);
  if (Math.max(digits.length, Math.abs(point)) > maxLength) return null;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  const whole = digits
    .slice(0, point)
    .padEnd(point, '0')
    .replace(/^0+(?=[0-9])/, '');
  return point >= digits.length ? sign + whole : `${sign}${whole}.${digits.slice(point)}`;
}
