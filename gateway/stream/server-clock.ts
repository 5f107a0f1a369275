/**
 * The clock of the shared cache's server, kept from running backwards. Trust begins at a time of that clock; were it set
 * back, or another server's clock behind, entries leased before could bear later times and pass for new.
 *
 * So it is followed as a distance from a clock of ours that only measures: the largest seen, counted from before the server
 * was asked. It is never too small; what a slow answer made too large wears off.
 */
import type { ServerLook } from '../cache/shared-cache.js';

/** Clocks are slewed by at most 500 ppm (Linux, adjtimex): a clock that loses more than this was set back. */
const WEARS_OFF = 0.001;

export interface ServerClockOptions {
  /** How far ahead of the first look a lease made before it may be. */
  readonly skewMs: number;
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
}

export class ServerClock {
  readonly #options: ServerClockOptions;
  #leastMs = Number.NEGATIVE_INFINITY;
  #aheadMs = Number.NEGATIVE_INFINITY;
  #readAtMs = 0;

  constructor(options: ServerClockOptions) {
    this.#options = options;
  }

  get hasBeenRead(): boolean {
    return this.#leastMs > Number.NEGATIVE_INFINITY;
  }

  /** A time that no lease bears which was made before `look`; that was asked for at `askedAtMs` of the stopwatch. */
  read(look: ServerLook, askedAtMs: number): number {
    const { skewMs, stopwatch } = this.#options;
    if (!this.hasBeenRead) this.#leastMs = look.timeMs + skewMs;
    const nowMs = stopwatch();
    const seenMs = look.timeMs - askedAtMs;
    const timeMs = nowMs + Math.max(seenMs, this.#aheadMs);
    this.#aheadMs = Math.max(seenMs, this.#aheadMs - (nowMs - this.#readAtMs) * WEARS_OFF);
    this.#readAtMs = nowMs;
    return Math.ceil(Math.max(timeMs, this.#leastMs));
  }
}
