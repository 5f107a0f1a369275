/** L2 as a worker uses it: what its main process trusts, and nothing while it trusts nothing. */
import type { SharedCache, SharedFill, SharedRead, Trust } from '../cache/shared-cache.js';

export interface SharedLevelCounters {
  /** Users asked of the shared cache, and how many of them it knew. */
  onSharedRead(asked: number, known: number, tookMs: number): void;
}

export interface SharedAnswer {
  /** As `SharedCache.read`. */
  readonly outcomes: readonly SharedRead[];
  /** Keeps what was then read from the store, under the trust of the read. */
  readonly fill: (fills: readonly SharedFill[]) => Promise<void>;
}

export class SharedLevel {
  readonly #cache: SharedCache;
  readonly #counters: SharedLevelCounters;
  /** What main has told last. */
  trust: Trust | null = null;

  constructor(cache: SharedCache, counters: SharedLevelCounters) {
    this.#cache = cache;
    this.#counters = counters;
  }

  /** Undefined where there is nothing to ask. Never rejects. */
  async read(uids: readonly string[]): Promise<SharedAnswer | undefined> {
    const { trust } = this;
    if (trust === null) return undefined;
    const startMs = performance.now();
    const outcomes = await this.#cache.read(uids, trust);
    const known = outcomes.reduce((count, { kind }) => (kind === 'value' ? count + 1 : count), 0);
    this.#counters.onSharedRead(uids.length, known, performance.now() - startMs);
    return { outcomes, fill: (fills) => this.#cache.fill(fills, trust) };
  }
}
