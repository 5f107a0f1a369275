/**
 * The clock of the shared cache's server, kept from running backwards. Trust begins at a time of that clock; were it set
 * back, or another server's clock behind, entries leased before could bear later times and pass for new.
 */
import type { ServerLook } from '../cache/shared-cache.js';

/** Clocks are slewed by at most 500 ppm (Linux, adjtimex): a clock that loses more than this was set back. */
const SLOWEST = 0.999;

export interface ServerClockOptions {
  /** How far ahead of the first look a lease made before it may be. */
  readonly skewMs: number;
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
}

export class ServerClock {
  readonly #options: ServerClockOptions;
  #leastMs = Number.NEGATIVE_INFINITY;
  #seen: { readonly timeMs: number; readonly atMs: number } | undefined;

  constructor(options: ServerClockOptions) {
    this.#options = options;
  }

  get hasBeenSeen(): boolean {
    return this.#seen !== undefined;
  }

  /** A time that no lease made before `look` bears: the clock's, or where it would be by what was seen before. */
  read(look: ServerLook): number {
    const { skewMs, stopwatch } = this.#options;
    const atMs = stopwatch();
    let { timeMs } = look;
    if (this.#seen === undefined) this.#leastMs = timeMs + skewMs;
    else timeMs = Math.max(timeMs, Math.ceil(this.#seen.timeMs + (atMs - this.#seen.atMs) * SLOWEST));
    this.#seen = { timeMs, atMs };
    return Math.max(timeMs, this.#leastMs);
  }
}
