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
