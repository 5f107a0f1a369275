/** Conditions on numbers. */
import type { TagCondition, TagOperator } from '../ast.js';
import { ceilToScale, type Decimal, fitsScale, floorToScale, MAX_DECIMAL_DIGITS } from '../decimal.js';
import type { Tag } from '../tag.js';
import { type Axis, constant, guard, isInList, textOf } from './axis.js';
import type { Dialect } from './dialect.js';
import { NUMBER } from './patterns.js';
import { leaf, type SqlNode } from './sql-tree.js';

/** Is the comparison true of the tag's number? NULL where it has none. */
export function compileNumeric(
  { tag, op }: TagCondition,
  operands: readonly Decimal[],
  dialect: Dialect,
): SqlNode {
  return isWritten(tag)
    ? compareText(textNumberAxis(tag, dialect), op, operands, dialect)
    : compareUnits(unitsAxis(tag, dialect), op, operands, dialect);
}

export function numericAxis(tag: Tag, dialect: Dialect): Axis<Decimal> | Axis<bigint> {
  return isWritten(tag) ? textNumberAxis(tag, dialect) : unitsAxis(tag, dialect);
}

/** Is the number read from a text? So is one in a column of an unknown scale: no literal would be sure to fit it. */
function isWritten({ column }: Tag): boolean {
  return column.kind === 'text' || column.kind === 'number';
}

function textNumberAxis(tag: Tag, dialect: Dialect): Axis<Decimal> {
  const name = textOf(tag, dialect);
  return {
    guards: [
      leaf(dialect.matches(name, NUMBER)),
      leaf(`${dialect.significantDigits(name)} <= ${MAX_DECIMAL_DIGITS}`),
    ],
    value: dialect.numberOfText(name),
    literal: dialect.numberOfTextLiteral,
  };
}

/** A native column as a whole number of units of 10^-scale, from `min` to `max`. */
interface UnitsAxis extends Axis<bigint> {
  readonly scale: number;
  readonly min: bigint;
  readonly max: bigint;
}

function unitsAxis({ sourceField, column, code }: Tag, dialect: Dialect): UnitsAxis {
  const name = dialect.identifier(sourceField);
  if (column.kind === 'integer') {
    const end = 2n ** BigInt(column.bits - 1);
    return { guards: [], value: name, literal: dialect.integer, scale: 0, min: -end, max: end - 1n };
  }
  if (column.kind !== 'decimal') throw new Error(`The numeric tag ${code} is on a ${column.kind} column.`);
  const max = 10n ** BigInt(column.precision) - 1n;
  return {
    guards: [],
    value: dialect.numberOrNull(name),
    literal: (unscaled) => dialect.decimal(unscaled, column),
    scale: column.scale,
    min: -max,
    max,
  };
}

function compareText(
  axis: Axis<Decimal>,
  op: TagOperator,
  operands: readonly Decimal[],
  dialect: Dialect,
): SqlNode {
  const { value, literal } = axis;
  const [first, second] = operands.map(literal);
  switch (op) {
    case '>':
    case '>=':
    case '<':
    case '<=':
      return guard(axis, leaf(`${value} ${op} ${first}`));
    case 'BETWEEN':
    case 'NOT BETWEEN':
      return guard(axis, leaf(`${value} ${op} ${first} AND ${second}`));
    default:
      return isInList(axis, dialect, operands, op === '!=' || op === 'NOT IN');
  }
}

/**
 * Operands become values that the column can hold: x > 18.5 is x > 18 on integers, and what is beyond the column is
 * true or false of all it holds. So no engine has to widen the column, to a double at worst.
 */
function compareUnits(
  axis: UnitsAxis,
  op: TagOperator,
  operands: readonly Decimal[],
  dialect: Dialect,
): SqlNode {
  const { value, literal, scale, min, max } = axis;
  const [first, second = first] = operands;
  if (first === undefined || second === undefined) throw new Error(`${op} has no operand.`);
  const always = constant(axis, dialect, true);
  const never = constant(axis, dialect, false);
  const compare = (sign: string, bound: bigint) => leaf(`${value} ${sign} ${literal(bound)}`);
  switch (op) {
    case '>': {
      const bound = floorToScale(first, scale);
      return bound < min ? always : bound >= max ? never : compare('>', bound);
    }
    case '>=': {
      const bound = ceilToScale(first, scale);
      return bound <= min ? always : bound > max ? never : compare('>=', bound);
    }
    case '<': {
      const bound = ceilToScale(first, scale);
      return bound > max ? always : bound <= min ? never : compare('<', bound);
    }
    case '<=': {
      const bound = floorToScale(first, scale);
      return bound >= max ? always : bound < min ? never : compare('<=', bound);
    }
    case 'BETWEEN':
    case 'NOT BETWEEN': {
      const low = larger(ceilToScale(first, scale), min);
      const high = smaller(floorToScale(second, scale), max);
      const inside = op === 'BETWEEN';
      if (low > high) return inside ? never : always;
      if (low === min && high === max) return inside ? always : never;
      return leaf(`${value} ${op} ${literal(low)} AND ${literal(high)}`);
    }
    default: {
      const negated = op === '!=' || op === 'NOT IN';
      const held = operands
        .filter((operand) => fitsScale(operand, scale))
        .map((operand) => floorToScale(operand, scale))
        .filter((unscaled) => unscaled >= min && unscaled <= max);
      if (held.length === 0) return negated ? always : never;
      return isInList(axis, dialect, held, negated);
    }
  }
}

function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
