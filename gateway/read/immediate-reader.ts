/**
 * Misses of a store that reads without waiting (`getNow`): the user is read while his request is handled, so nothing is
 * queued, shared or deferred. Nothing can come between the noted generation, the read and the fill.
 *
 * It serves as long as the store is quick. A read that had to wait for the disk held every other request of this
 * worker, so for a while misses go the long way (`membership-reader.ts`), where a limit refuses what is too much.
 */
import type { ImmediateMembershipSource } from '../../stores/membership-store.js';
import type { CrowdSet } from '../cache/crowd-sets.js';
import type { Generations } from '../cache/generations.js';
import type { MembershipCache } from '../cache/membership-cache.js';
import type { CrowdCatalog } from '../match/crowd-catalog.js';
import type { ReaderCounters } from './membership-reader.js';

export interface ImmediateReaderOptions {
  readonly source: ImmediateMembershipSource;
  readonly cache: MembershipCache;
  readonly generations: Generations;
  readonly catalog: CrowdCatalog;
  readonly counters: Pick<ReaderCounters, 'onBatch' | 'onFill'>;
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
  /** How often this process has waited for the disk to bring a page of memory, so far. */
  readonly diskWaits: () => number;
}

/** Longer reads are slow: some thousand times what a row in memory takes. */
export const SLOW_READ_MS = 5;
/** After a read that waited for the disk so long, this long no other. */
export const PAUSE_MS = 1_000;

export class ImmediateReader {
  readonly #options: ImmediateReaderOptions;
  #diskWaits: number;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: ImmediateReaderOptions) {
    this.#options = options;
    this.#diskWaits = options.diskWaits();
  }

  /**
   * Reads a user and keeps him in the cache: `uid` is `bytes[from … from + length)`, and `hash` its hash. Undefined where
   * the long way must be taken: the store is slow, fails, or the cache has no room.
   */
  read(
    uid: string,
    hash: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    nowMs: number,
  ): CrowdSet | undefined {
    const { source, cache, generations, catalog, counters, stopwatch } = this.#options;
    if (nowMs < this.#pausedUntilMs || !catalog.isLoaded) return undefined;
    const generation = generations.of(hash);
    const startMs = stopwatch();
    let codes: readonly string[];
    try {
      codes = catalog.sortedActive(source.getNow(uid).keys());
    } catch {
      // The long way asks again, and says what is wrong.
      return undefined;
    }
    const tookMs = stopwatch() - startMs;
    counters.onBatch(1, tookMs);
    if (tookMs > SLOW_READ_MS && this.#hasWaitedForDisk()) this.#pausedUntilMs = nowMs + PAUSE_MS;
    const set = cache.store(hash, bytes, from, length, generation, codes, nowMs);
    if (set !== undefined) counters.onFill();
    return set;
  }

  /** Since it was last asked. On a busy machine a read is slow too when the processor was taken away in the middle. */
  #hasWaitedForDisk(): boolean {
    const before = this.#diskWaits;
    this.#diskWaits = this.#options.diskWaits();
    return this.#diskWaits > before;
  }
}
