/** Numbers close to one another, in a column's range and beyond it, as texts. */
import type { Random } from './random.js';

/** A number as digits: unscaled × 10^-scale. */
interface Fixed {
  readonly unscaled: bigint;
  readonly scale: number;
}

/** What a numeric column can hold: `digits` in all, `scale` of them after the point, or a range of whole numbers. */
export interface NumberRange {
  readonly min: bigint;
  readonly max: bigint;
  readonly scale: number;
}

export function decimalRange(precision: number, scale: number): NumberRange {
  const max = 10n ** BigInt(precision) - 1n;
  return { min: -max, max, scale };
}

export function integerRange(bits: number): NumberRange {
  const end = 2n ** BigInt(bits - 1);
  return { min: -end, max: end - 1n, scale: 0 };
}

/** A few numbers that the literals and the values of one tag lie at or beside. */
export function pickCentres(random: Random, range: NumberRange): readonly bigint[] {
  const any = () =>
    clamp(BigInt(random.digits(random.between(1, 38))) * (random.chance(0.4) ? -1n : 1n), range);
  return [0n, clamp(BigInt(random.int(100)), range), any(), any(), random.pick([range.min, range.max])];
}

function clamp(value: bigint, { min, max }: NumberRange): bigint {
  if (value < min) return min;
  return value > max ? max : value;
}

/** A value that the column holds. */
export function generateHeld(random: Random, range: NumberRange, centres: readonly bigint[]): string {
  const { unscaled, scale } = beside(random, range, centres);
  return format({ unscaled: clamp(unscaled, range), scale });
}

/** A literal of at most 38 digits: what the column holds, or finer, or beyond it. */
export function generateNumberLiteral(
  random: Random,
  range: NumberRange,
  centres: readonly bigint[],
): string {
  const { unscaled, scale } = beside(random, range, centres);
  const near = { unscaled: clamp(unscaled, decimalRange(38, scale)), scale };
  if (random.chance(0.1)) return `${near.unscaled}e${-scale}`;
  if (random.chance(0.75)) return format(near);
  const finer = { unscaled: near.unscaled * 10n + BigInt(random.between(-9, 9)), scale: near.scale + 1 };
  const finest = { unscaled: near.unscaled * 10n ** 12n + 1n, scale: near.scale + 12 };
  const huge = { unscaled: BigInt(random.digits(38)) * (random.chance(0.5) ? 1n : -1n), scale: 0 };
  const tiny = { unscaled: random.chance(0.5) ? 1n : -1n, scale: random.pick([9, 20, 37, 38]) };
  const text = format(random.pick([finer, finest, huge, tiny]));
  return countDigits(text) <= 38 ? text : format(near);
}

function beside(random: Random, { scale }: NumberRange, centres: readonly bigint[]): Fixed {
  const step = random.pick([0n, 0n, 0n, 1n, -1n, 2n, 10n, -10n, 100n]);
  return { unscaled: random.pick(centres) + step, scale };
}

/** The same number written otherwise, as a column of texts may have it. */
export function respell(random: Random, number: string): string {
  const [, sign = '', rest = number] = /^(-?)(.*)$/.exec(number) ?? [];
  switch (random.int(8)) {
    case 0:
      return `${sign}00${rest}`;
    case 1:
      return rest.includes('.') ? `${number}000` : `${number}.0`;
    case 2:
      return sign === '' && /^[0.]+$/.test(rest) ? `-${rest}` : number;
    case 4:
      return `${sign}${'0'.repeat(random.pick([20, 60]))}${rest}`;
    case 3:
      return rest.includes('.') ? `${number}0` : number;
    default:
      return number;
  }
}

export const NOT_NUMBERS = [
  '',
  ' 1',
  '1 ',
  '1\n',
  '+1',
  '.5',
  '5.',
  '1e5',
  '1E-2',
  '--1',
  '-',
  '.',
  '1.2.3',
  '1,000',
  '1_000',
  '0x10',
  'NaN',
  'Infinity',
  '-inf',
  '１２',
  '٣',
  'NULL',
  `1${'0'.repeat(38)}`,
  `0.${'1'.repeat(39)}`,
  `${'9'.repeat(30)}.${'9'.repeat(9)}`,
  '9'.repeat(400),
] as const;

function format({ unscaled, scale }: Fixed): string {
  const sign = unscaled < 0n ? '-' : '';
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function countDigits(text: string): number {
  const [integer = '', fraction = ''] = text.replace('-', '').split('.');
  return integer.replace(/^0+/, '').length + fraction.replace(/0+$/, '').length;
}
