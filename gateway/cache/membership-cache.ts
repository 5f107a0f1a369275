/**
 * L1: which crowds a user is in, as this worker last read it. Uids have lines that they fit: those of up to 46 bytes
 * (numbers, UUIDs) 64 bytes, longer ones (SHA-256 in hex, e-mail addresses) 128, so that the many short ones share no
 * room with the long. A table that holds nothing takes no memory: the system gives pages as they are first used.
 */
import type { CrowdSet, CrowdSets } from './crowd-sets.js';
import { EntryTable, uidBytesOfLine, YOUNG_SHARE } from './entry-table.js';
import type { Generations } from './generations.js';
import type { SnapshotEntry } from './snapshot.js';

const SHORT_LINE_BYTES = 64;
const LONG_LINE_BYTES = 128;
const MAX_SHORT_UID_BYTES = uidBytesOfLine(SHORT_LINE_BYTES);
/** Longer uids are not cached: bytes of UTF-8. */
export const MAX_CACHED_UID_BYTES = uidBytesOfLine(LONG_LINE_BYTES);
/** How long, of `ttlMs`, an entry is not read anew: what comes from a further level must be younger, or nothing is new. */
export function youngMs(ttlMs: number): number {
  return Math.max(1, Math.floor(ttlMs * YOUNG_SHARE));
}
/** Buckets emptied at most to make room for a set that is not yet kept. */
const SET_EVICTIONS = 16;

export interface MembershipCacheOptions {
  /** Of each length of uid; rounded up to a multiple of 15. */
  readonly entries: number;
  /** A bound on the memory of all sets together. */
  readonly maxSetBytes: number;
  readonly ttlMs: number;
  readonly generations: Generations;
  readonly sets: CrowdSets;
  /** Hears of a user whose entry will soon end and should be read anew; he was found all the same. */
  readonly onAging?: (hash: number, uid: Uint8Array) => void;
  /** 0 to below 1; by default `Math.random`. */
  readonly random?: () => number;
}

export class MembershipCache {
  readonly #generations: Generations;
  readonly #sets: CrowdSets;
  readonly #maxSetBytes: number;
  readonly #short: EntryTable;
  readonly #long: EntryTable;
  /** The bucket to empty next, when sets need room. */
  #sweep = 0;

  constructor(options: MembershipCacheOptions) {
    this.#generations = options.generations;
    this.#sets = options.sets;
    this.#maxSetBytes = options.maxSetBytes;
    const { onAging, random = Math.random } = options;
    const aging = {
      random,
      onAging: (hash: number, bytes: Uint8Array, from: number, length: number) =>
        onAging?.(hash, bytes.slice(from, from + length)),
    };
    this.#short = new EntryTable({ ...options, ...aging, lineBytes: SHORT_LINE_BYTES });
    this.#long = new EntryTable({ ...options, ...aging, lineBytes: LONG_LINE_BYTES });
  }

  get size(): number {
    return this.#short.size + this.#long.size;
  }

  get evictions(): number {
    return this.#short.evictions + this.#long.evictions;
  }

  /** The set of the user whose uid is `bytes[from … from + length)` and whose hash is `hash`; undefined where unknown. */
  find(hash: number, bytes: Uint8Array, from: number, length: number, nowMs: number): CrowdSet | undefined {
    if (length > MAX_CACHED_UID_BYTES) return undefined;
    const setId = this.#tableOf(length).find(hash, bytes, from, length, nowMs);
    return setId < 0 ? undefined : this.#sets.get(setId);
  }

  /**
   * Keeps what was read after `generation` was noted, unless the generation has moved since, the uid is longer than
   * `MAX_CACHED_UID_BYTES`, or the sets are at their bound. Returns the set where it was kept.
   */
  store(
    hash: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    generation: number,
    sortedCodes: readonly string[],
    nowMs: number,
  ): CrowdSet | undefined {
    if (length > MAX_CACHED_UID_BYTES || this.#generations.of(hash) !== generation) return undefined;
    const set = this.#sets.acquire(sortedCodes);
    if (!this.#hasRoomForSets()) {
      this.#sets.release(set.id);
      this.#sets.forgetUnused(this.#maxSetBytes);
      return undefined;
    }
    this.#tableOf(length).put(hash, bytes, from, length, generation, set.id, nowMs);
    return set;
  }

  get buckets(): number {
    return this.#short.buckets;
  }

  /** Every entry of a bucket, 0 to below `buckets`, that is good, and whether it was asked for since it was filled. */
  visit(bucket: number, nowMs: number, visit: (entry: SnapshotEntry, wasUsed: boolean) => void): void {
    for (const table of [this.#short, this.#long]) {
      table.visitBucket(bucket, nowMs, (uid, setId, filledAtMs, wasUsed) =>
        visit({ uid, codes: [...this.#sets.get(setId).codes], filledAtMs }, wasUsed),
      );
    }
  }

  #tableOf(uidBytes: number): EntryTable {
    return uidBytes <= MAX_SHORT_UID_BYTES ? this.#short : this.#long;
  }

  /** Whether the sets are within their bound, after unused ones went and some buckets were emptied where they were not. */
  #hasRoomForSets(): boolean {
    if (this.#sets.forgetUnused(this.#maxSetBytes)) return true;
    for (let i = 0; i < SET_EVICTIONS; i++) {
      this.#short.emptyBucket(this.#sweep);
      this.#long.emptyBucket(this.#sweep);
      this.#sweep = (this.#sweep + 1) % this.#short.buckets;
      if (this.#sets.forgetUnused(this.#maxSetBytes)) return true;
    }
    return false;
  }
}
