/**
 * How many rows may be asked of a store, or of one server of it, at once. The limit follows latency: while a batch takes not much longer than
 * the best seen lately, a limit that is used grows; when it takes long, the limit shrinks. So a store that slows down is
 * asked less, and what does not fit is refused at once instead of waiting in a queue.
 */
export interface ConcurrencyBounds {
  readonly least: number;
  readonly most: number;
  readonly first: number;
  readonly slackMs: number;
}

const DEFAULT_BOUNDS: ConcurrencyBounds = { least: 64, most: 16_384, first: 1_024, slackMs: 10 };
/** Slow: more than this many times the best, and more than `slackMs` beyond it. */
const SLOW_FACTOR = 3;
const SHRINK = 0.8;
/** The best is forgotten after this long, so that a store that became slower for good is not throttled for ever. */
const BEST_MAX_AGE_MS = 30_000;

export class ConcurrencyLimit {
  readonly #bounds: ConcurrencyBounds;
  #limit: number;
  #inFlight = 0;
  #bestMs = Number.POSITIVE_INFINITY;
  #bestAtMs = 0;
  #shrankAtMs = Number.NEGATIVE_INFINITY;

  constructor(bounds: ConcurrencyBounds = DEFAULT_BOUNDS) {
    this.#bounds = bounds;
    this.#limit = bounds.first;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes room for one row, if there is some. */
  tryAcquire(): boolean {
    if (this.#inFlight >= this.#limit) return false;
    this.#inFlight += 1;
    return true;
  }

  /** Gives back the room of `count` rows that need not be asked of the store after all. */
  giveBack(count: number): void {
    this.#inFlight -= count;
  }

  /** Gives back the room of `count` rows that were asked together. `hasFailed`: the store refused or did not answer. */
  release(count: number, tookMs: number, hasFailed: boolean, nowMs: number): void {
    const wasUsed = this.#inFlight * 2 >= this.#limit;
    this.#inFlight -= count;
    if (tookMs < this.#bestMs || nowMs - this.#bestAtMs > BEST_MAX_AGE_MS) {
      this.#bestMs = tookMs;
      this.#bestAtMs = nowMs;
    }
    const isSlow = tookMs > this.#bestMs * SLOW_FACTOR && tookMs > this.#bestMs + this.#bounds.slackMs;
    if (hasFailed || isSlow) {
      // Batches that were under way together tell of one slowness, not of many.
      if (nowMs - this.#shrankAtMs < tookMs) return;
      this.#shrankAtMs = nowMs;
      this.#limit = Math.max(this.#bounds.least, this.#limit * SHRINK);
    } else if (wasUsed) {
      this.#limit = Math.min(this.#bounds.most, this.#limit + Math.sqrt(this.#limit));
    }
  }
}
