/**
 * How many uids may be read from the store at once. The limit follows latency: while a batch takes not much longer than
 * the best seen lately, a limit that is used grows; when it takes long, the limit shrinks. So a store that slows down is
 * asked less, and what does not fit is refused at once instead of waiting in a queue.
 */
export const MIN_LIMIT = 64;
export const MAX_LIMIT = 16_384;
const FIRST_LIMIT = 1_024;
/** Slow: more than this many times the best, and more than `SLACK_MS` beyond it. */
const SLOW_FACTOR = 3;
const SLACK_MS = 10;
const SHRINK = 0.8;
/** The best is forgotten after this long, so that a store that became slower for good is not throttled for ever. */
const BEST_MAX_AGE_MS = 30_000;

export class ConcurrencyLimit {
  #limit = FIRST_LIMIT;
  #inFlight = 0;
  #bestMs = Number.POSITIVE_INFINITY;
  #bestAtMs = 0;
  #shrankAtMs = Number.NEGATIVE_INFINITY;

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes room for one uid, if there is some. */
  tryAcquire(): boolean {
    if (this.#inFlight >= this.#limit) return false;
    this.#inFlight += 1;
    return true;
  }

  /** Gives back the room of `count` uids that were read together. `hasFailed`: the store refused or did not answer. */
  release(count: number, tookMs: number, hasFailed: boolean, nowMs: number): void {
    const wasUsed = this.#inFlight * 2 >= this.#limit;
    this.#inFlight -= count;
    if (tookMs < this.#bestMs || nowMs - this.#bestAtMs > BEST_MAX_AGE_MS) {
      this.#bestMs = tookMs;
      this.#bestAtMs = nowMs;
    }
    const isSlow = tookMs > this.#bestMs * SLOW_FACTOR && tookMs > this.#bestMs + SLACK_MS;
    if (hasFailed || isSlow) {
      // Batches that were under way together tell of one slowness, not of many.
      if (nowMs - this.#shrankAtMs < tookMs) return;
      this.#shrankAtMs = nowMs;
      this.#limit = Math.max(MIN_LIMIT, this.#limit * SHRINK);
    } else if (wasUsed) {
      this.#limit = Math.min(MAX_LIMIT, this.#limit + Math.sqrt(this.#limit));
    }
  }
}
