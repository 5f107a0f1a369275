/**
 * Saves the hottest entries of a worker, and begins with what is there.
 *
 * What was loaded is said to be stale since the time when it was saved, by the stream's clock. It becomes fresh as anything
 * cached does: main tells the changes of so long ago that no entry is older, those of before the start included; but not
 * those that had been applied here when it was saved, which each entry holds: it was read after them, or they would have
 * dropped it.
 */
import { setImmediate as endOfTurn } from 'node:timers/promises';
import type { CrowdCatalog } from '../match/crowd-catalog.js';
import type { StreamClock } from '../match/stream-clock.js';
import type { Generations } from './generations.js';
import type { MembershipCache } from './membership-cache.js';
import type { SnapshotEntry, SnapshotStorage } from './snapshot.js';
import { hashBytes } from './uid-hash.js';

/** At most so many entries: some 5 MB of file. */
const MAX_ENTRIES = 100_000;
/** Read in one turn of the event loop: well under a millisecond. */
const BUCKETS_A_TURN = 512;

export interface SnapshotKeeperOptions {
  readonly storage: SnapshotStorage;
  readonly cache: MembershipCache;
  readonly generations: Generations;
  readonly catalog: CrowdCatalog;
  readonly clock: StreamClock;
  readonly cacheTtlMs: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export class SnapshotKeeper {
  readonly #options: SnapshotKeeperOptions;
  #saving: Promise<number> | undefined;

  constructor(options: SnapshotKeeperOptions) {
    this.#options = options;
  }

  /** Fills the cache, the catalog and the clock, which must be as new; returns how many users are known. */
  load(): number {
    const { storage, cache, generations, catalog, clock, cacheTtlMs, now } = this.#options;
    const snapshot = storage.read();
    if (snapshot === undefined) return 0;
    const nowMs = now();
    catalog.load(snapshot.crowds);
    clock.advance(snapshot.asOfMs, nowMs, snapshot.applied);
    for (const { uid, codes, filledAtMs } of snapshot.entries) {
      // An entry from the future, by a clock that was set back, would live too long.
      if (filledAtMs > nowMs || filledAtMs <= nowMs - cacheTtlMs) continue;
      const hash = hashBytes(uid, 0, uid.length);
      cache.store(hash, uid, 0, uid.length, generations.of(hash), codes, filledAtMs);
    }
    return cache.size;
  }

  /** Resolves with the number of users saved; 0 where there is no knowing until when the stream was followed. */
  save(): Promise<number> {
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined;
    });
    return this.#saving;
  }

  async #save(): Promise<number> {
    const { storage, catalog, clock } = this.#options;
    // Noted first: an entry that is collected later holds what came until then, and that is no less.
    const { asOfMs, applied } = clock;
    const { version } = catalog;
    if (!catalog.isLoaded || !Number.isFinite(asOfMs)) return 0;
    const crowds = catalog.all();
    const entries = await this.#collect();
    // A crowd that changed meanwhile made every entry old.
    if (catalog.version !== version) return 0;
    await storage.write({ asOfMs, applied, crowds, entries });
    return entries.length;
  }

  /** Those that were asked for since they were read come first. */
  async #collect(): Promise<SnapshotEntry[]> {
    const { cache, now } = this.#options;
    const asked: SnapshotEntry[] = [];
    const others: SnapshotEntry[] = [];
    for (let bucket = 0; bucket < cache.buckets && asked.length < MAX_ENTRIES; bucket++) {
      cache.visit(bucket, now(), (entry, wasUsed) => {
        const list = wasUsed ? asked : others;
        if (list.length < MAX_ENTRIES) list.push(entry);
      });
      if (bucket % BUCKETS_A_TURN === 0) await endOfTurn();
    }
    return asked.concat(others).slice(0, MAX_ENTRIES);
  }
}
