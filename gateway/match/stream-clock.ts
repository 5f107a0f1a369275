/**
 * How far the stream of changes has been followed. Everything that was published before `asOfMs` has been applied here;
 * heartbeats move it. When it falls back by more than `staleAfterMs`, answers are said to be stale since then: those
 * from the cache because a change may be missing, those from the store too, because which crowds are paused comes from
 * the stream (who is in them was read just now).
 */
import type { StreamPositions } from '../stream/stream-positions.js';
import type { Freshness } from './replies.js';

export class StreamClock {
  readonly #staleAfterMs: number;
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** The messages that have been applied. */
  applied: StreamPositions = [];

  constructor(staleAfterMs: number) {
    this.#staleAfterMs = staleAfterMs;
  }

  /** A time that is earlier than the last one, or in the future of this machine, moves nothing beyond now. */
  advance(asOfMs: number, nowMs: number, applied: StreamPositions = this.applied): void {
    this.applied = applied;
    this.#asOfMs = Math.max(this.#asOfMs, Math.min(asOfMs, nowMs));
  }

  /** Epoch milliseconds; −Infinity before the first sign of life. */
  get asOfMs(): number {
    return this.#asOfMs;
  }

  isFresh(nowMs: number): boolean {
    return nowMs - this.#asOfMs <= this.#staleAfterMs;
  }

  freshness(nowMs: number): Freshness {
    return this.isFresh(nowMs) ? 'fresh' : this.#asOfMs;
  }

  /** Infinite before the first sign of life. */
  stalenessMs(nowMs: number): number {
    return nowMs - this.#asOfMs;
  }
}
