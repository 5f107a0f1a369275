/** The smallest number that `part` (0 < part ≤ 1) of them do not exceed; undefined of none. */
export function quantile(numbers: readonly number[], part: number): number | undefined {
  return numbers.toSorted((a, b) => a - b)[Math.ceil(part * numbers.length) - 1];
}
