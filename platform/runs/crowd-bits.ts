/**
 * How a file or table says who is in which of many crowds: one row per user, one bit per crowd, 30 bits to an INTEGER
 * column (`m0`, `m1` …). Integers, because one scan to bit masks costs a third of one to lists of crowd codes, and
 * 30 bits, because JavaScript's bit operators are signed 32-bit.
 */

export const BITS_PER_COLUMN = 30;

export interface CrowdBit {
  /** The n of column `m<n>`. */
  readonly column: number;
  /** A power of two. */
  readonly bit: number;
}

/** Where the crowd at a position of the list stands. */
export function crowdBit(position: number): CrowdBit {
  return { column: Math.floor(position / BITS_PER_COLUMN), bit: 1 << (position % BITS_PER_COLUMN) };
}

/** The numbers of the columns that so many crowds need; at least one. */
export function maskColumns(crowds: number): number[] {
  return Array.from({ length: Math.max(1, Math.ceil(crowds / BITS_PER_COLUMN)) }, (_, column) => column);
}

/** SQL for a mask column: the bits of the conditions that are true. Conditions by bit, in SQL. */
export function printMask(
  conditions: readonly { readonly bit: number; readonly condition: string }[],
): string {
  const terms = conditions.map(({ bit, condition }) => `CASE WHEN ${condition} THEN ${bit} ELSE 0 END`);
  return `CAST(${terms.length === 0 ? '0' : terms.join('\n  + ')} AS INTEGER)`;
}

/** SQL that is true for the members of the crowd at a position. */
export function printIsMember(position: number): string {
  const { column, bit } = crowdBit(position);
  return `(m${column} & ${bit}) <> 0`;
}
