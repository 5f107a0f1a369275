/**
 * L1: which crowds a user is in, as this worker last read it. Memory is taken once and nothing on a hit is allocated.
 *
 * Entries lie in buckets of 16, like a processor's cache: a uid's hash names its bucket, the 16 tags of a bucket are one
 * cache line, an entry another. A full bucket gives up the first entry that was not asked for since the last search
 * (CLOCK within the bucket); so a hit writes one byte, and only the first time. docs/adr/0002-l1-cache.md has the
 * measurements against lru-cache and Map.
 *
 * An entry is found only if its generation has not moved (`generations.ts`) and it is younger than `ttlMs`.
 */
import type { CrowdSet, CrowdSets } from './crowd-sets.js';
import type { Generations } from './generations.js';

const WAYS = 16;
/** generation i32 · set id i32 · filled at f64 (epoch ms) · was used u8 · uid length u8 · uid */
const ENTRY_BYTES = 64;
const GENERATION = 0;
const SET_ID = 1;
const FILLED_AT = 1;
const USED = 16;
const UID_LENGTH = 17;
const UID = 18;
/** Longer uids are not cached: bytes of UTF-8. */
export const MAX_CACHED_UID_BYTES = ENTRY_BYTES - UID;
/** What one entry costs, its tag and its share of the bucket's hand included; sets come on top. */
export const BYTES_PER_ENTRY = ENTRY_BYTES + 4 + 1 / WAYS;
/** Entries given up at most to make room for a set that is not yet kept. */
const SET_EVICTIONS = 256;

export interface MembershipCacheOptions {
  /** Rounded up to a multiple of 16. */
  readonly entries: number;
  /** A bound on the memory of all sets together. */
  readonly maxSetBytes: number;
  readonly ttlMs: number;
  readonly generations: Generations;
  readonly sets: CrowdSets;
}

export class MembershipCache {
  readonly #generations: Generations;
  readonly #sets: CrowdSets;
  readonly #ttlMs: number;
  readonly #maxSetBytes: number;
  readonly #buckets: number;
  /** Per entry the hash of its uid, 0 for none. */
  readonly #tags: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #ints: Int32Array;
  readonly #floats: Float64Array;
  /** Per bucket, where the search for a victim goes on. */
  readonly #hands: Uint8Array;
  /** Where the search for sets to give up goes on. */
  #sweep = 0;
  size = 0;
  evictions = 0;

  constructor(options: MembershipCacheOptions) {
    this.#generations = options.generations;
    this.#sets = options.sets;
    this.#ttlMs = options.ttlMs;
    this.#maxSetBytes = options.maxSetBytes;
    this.#buckets = Math.max(1, Math.ceil(options.entries / WAYS));
    const entries = this.#buckets * WAYS;
    const memory = new ArrayBuffer(entries * ENTRY_BYTES);
    this.#tags = new Int32Array(entries);
    this.#bytes = new Uint8Array(memory);
    this.#ints = new Int32Array(memory);
    this.#floats = new Float64Array(memory);
    this.#hands = new Uint8Array(this.#buckets);
  }

  /** The set of the user whose uid is `bytes[from … from + length)` and whose hash is `hash`; undefined where unknown. */
  find(hash: number, bytes: Uint8Array, from: number, length: number, nowMs: number): CrowdSet | undefined {
    const entry = this.#locate(hash, bytes, from, length);
    if (entry < 0 || !this.#isGood(entry, hash, nowMs)) return undefined;
    const used = entry * ENTRY_BYTES + USED;
    if (this.#bytes[used] === 0) this.#bytes[used] = 1;
    return this.#sets.get(this.#ints[entry * 16 + SET_ID] as number);
  }

  /**
   * Keeps what was read after `generation` was noted, unless the generation has moved since, the uid is longer than
   * `MAX_CACHED_UID_BYTES`, or the sets are at their bound. Returns whether it was kept.
   */
  store(
    hash: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    generation: number,
    sortedCodes: readonly string[],
    nowMs: number,
  ): boolean {
    if (length > MAX_CACHED_UID_BYTES || this.#generations.of(hash) !== generation) return false;
    if (!this.#makeRoomForSet(sortedCodes)) return false;
    let entry = this.#locate(hash, bytes, from, length);
    if (entry < 0) entry = this.#claim(hash, nowMs);
    else this.#sets.release(this.#ints[entry * 16 + SET_ID] as number);
    const start = entry * ENTRY_BYTES;
    this.#tags[entry] = hash;
    this.#ints[entry * 16 + GENERATION] = generation;
    this.#ints[entry * 16 + SET_ID] = this.#sets.acquire(sortedCodes).id;
    this.#floats[entry * 8 + FILLED_AT] = nowMs;
    this.#bytes[start + USED] = 0;
    this.#bytes[start + UID_LENGTH] = length;
    for (let i = 0; i < length; i++) this.#bytes[start + UID + i] = bytes[from + i] as number;
    return true;
  }

  #locate(hash: number, bytes: Uint8Array, from: number, length: number): number {
    const first = ((hash >>> 1) % this.#buckets) * WAYS;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (this.#tags[entry] === hash && this.#holds(entry, bytes, from, length)) return entry;
    }
    return -1;
  }

  #holds(entry: number, bytes: Uint8Array, from: number, length: number): boolean {
    const start = entry * ENTRY_BYTES;
    if (this.#bytes[start + UID_LENGTH] !== length) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[start + UID + i] !== bytes[from + i]) return false;
    }
    return true;
  }

  #isGood(entry: number, hash: number, nowMs: number): boolean {
    return (
      this.#ints[entry * 16 + GENERATION] === this.#generations.of(hash) &&
      nowMs - (this.#floats[entry * 8 + FILLED_AT] as number) < this.#ttlMs
    );
  }

  /** An entry of the hash's bucket that is free now. */
  #claim(hash: number, nowMs: number): number {
    const bucket = (hash >>> 1) % this.#buckets;
    const first = bucket * WAYS;
    for (let entry = first; entry < first + WAYS; entry++) {
      if (this.#tags[entry] === 0) {
        this.size += 1;
        return entry;
      }
    }
    // After one round every entry counts as not used, so the second ends the search.
    for (let step = 0; ; step++) {
      const way = ((this.#hands[bucket] as number) + step) % WAYS;
      const entry = first + way;
      const used = entry * ENTRY_BYTES + USED;
      if (this.#bytes[used] === 0 || !this.#isGood(entry, this.#tags[entry] as number, nowMs)) {
        this.#hands[bucket] = (way + 1) % WAYS;
        this.#sets.release(this.#ints[entry * 16 + SET_ID] as number);
        this.evictions += 1;
        return entry;
      }
      this.#bytes[used] = 0;
    }
  }

  #makeRoomForSet(sortedCodes: readonly string[]): boolean {
    const cost = this.#sets.costBytes(sortedCodes);
    for (let i = 0; i < SET_EVICTIONS && this.#sets.sizeBytes + cost > this.#maxSetBytes; i++) {
      const entry = this.#sweep;
      this.#sweep = (this.#sweep + 1) % this.#tags.length;
      if (this.#tags[entry] === 0) continue;
      this.#tags[entry] = 0;
      this.#sets.release(this.#ints[entry * 16 + SET_ID] as number);
      this.size -= 1;
      this.evictions += 1;
    }
    return cost === 0 || this.#sets.sizeBytes + cost <= this.#maxSetBytes;
  }
}
