/** What every room waits by before it tries again what has failed. */
export interface BackOff {
  readonly firstMs: number;
  readonly longestMs: number;
}

/** Beyond this the longest wait has been reached, whatever the first was. */
const MAX_DOUBLINGS = 30;

/**
 * How long to wait after so many failures in a row, 1 or more: twice as long each time up to `longestMs`, of which
 * `random`, 0 ≤ random < 1, takes up to a half, so that those who failed together do not come back together. Whole
 * milliseconds.
 */
export function backOffMs(
  { firstMs, longestMs }: BackOff,
  failures: number,
  random: number = Math.random(),
): number {
  const waitMs = Math.min(longestMs, firstMs * 2 ** Math.min(failures - 1, MAX_DOUBLINGS));
  return Math.ceil(waitMs * (0.5 + random / 2));
}
