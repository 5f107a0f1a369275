/**
 * L1: which crowds a user is in, as this worker last read it. Memory is taken once and nothing on a hit is allocated.
 *
 * Entries lie in buckets of 15, like a processor's cache. A bucket is 1 KiB of 64-byte lines: a line of tags (the hashes
 * of the uids), then a line per entry; a hit touches two lines of one memory page. A full bucket gives up the first
 * entry that was not asked for since the last search (CLOCK within the bucket); so a hit writes one byte, and only the
 * first time. docs/adr/0002-l1-cache.md has the measurements against lru-cache and Map.
 *
 * An entry is found only if its generation has not moved (`generations.ts`) and it is younger than `ttlMs`.
 */
import type { CrowdSet, CrowdSets } from './crowd-sets.js';
import type { Generations } from './generations.js';

const WAYS = 15;
const LINE_BYTES = 64;
const BUCKET_BYTES = (WAYS + 1) * LINE_BYTES;
/** In the bucket's first line, as i32: a tag per way, 0 for none, and last where the search for a victim goes on. */
const HAND = 15;
/** An entry's line: generation i32 · set id i32 · filled at f64 (epoch ms) · was used u8 · uid length u8 · uid */
const GENERATION = 0;
const SET_ID = 1;
const FILLED_AT = 1;
const USED = 16;
const UID_LENGTH = 17;
const UID = 18;
/** Longer uids are not cached: bytes of UTF-8. */
export const MAX_CACHED_UID_BYTES = LINE_BYTES - UID;
/** What one entry costs, its tag included; sets come on top. */
export const BYTES_PER_ENTRY = BUCKET_BYTES / WAYS;
/** Buckets emptied at most to make room for a set that is not yet kept. */
const SET_EVICTIONS = 16;

export interface MembershipCacheOptions {
  /** Rounded up to a multiple of 15. */
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
  readonly #bytes: Uint8Array;
  readonly #ints: Int32Array;
  readonly #floats: Float64Array;
  /** The bucket to empty next, when sets need room. */
  #sweep = 0;
  size = 0;
  evictions = 0;

  constructor(options: MembershipCacheOptions) {
    this.#generations = options.generations;
    this.#sets = options.sets;
    this.#ttlMs = options.ttlMs;
    this.#maxSetBytes = options.maxSetBytes;
    this.#buckets = Math.max(1, Math.ceil(options.entries / WAYS));
    const memory = new ArrayBuffer(this.#buckets * BUCKET_BYTES);
    this.#bytes = new Uint8Array(memory);
    this.#ints = new Int32Array(memory);
    this.#floats = new Float64Array(memory);
  }

  /** The set of the user whose uid is `bytes[from … from + length)` and whose hash is `hash`; undefined where unknown. */
  find(hash: number, bytes: Uint8Array, from: number, length: number, nowMs: number): CrowdSet | undefined {
    const line = this.#locate(hash, bytes, from, length);
    if (line < 0 || !this.#isGood(line, hash, nowMs)) return undefined;
    const used = line * LINE_BYTES + USED;
    if (this.#bytes[used] === 0) this.#bytes[used] = 1;
    return this.#sets.get(this.#setIdOf(line));
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
    const set = this.#sets.acquire(sortedCodes);
    if (!this.#hasRoomForSets()) {
      this.#sets.release(set.id);
      return false;
    }
    let line = this.#locate(hash, bytes, from, length);
    if (line < 0) line = this.#claim(hash, nowMs);
    else this.#sets.release(this.#setIdOf(line));
    const start = line * LINE_BYTES;
    this.#ints[line * 16 + GENERATION] = generation;
    this.#ints[line * 16 + SET_ID] = set.id;
    this.#floats[line * 8 + FILLED_AT] = nowMs;
    this.#bytes[start + USED] = 0;
    this.#bytes[start + UID_LENGTH] = length;
    for (let i = 0; i < length; i++) this.#bytes[start + UID + i] = bytes[from + i] as number;
    return true;
  }

  /** The index of the bucket's first tag among the i32. */
  #tagsOf(hash: number): number {
    return ((hash >>> 1) % this.#buckets) * (BUCKET_BYTES / 4);
  }

  #setIdOf(line: number): number {
    return this.#ints[line * 16 + SET_ID] as number;
  }

  /** The line of the entry, counted from the start of the memory; -1 where there is none. */
  #locate(hash: number, bytes: Uint8Array, from: number, length: number): number {
    const tags = this.#tagsOf(hash);
    for (let way = 0; way < WAYS; way++) {
      if (this.#ints[tags + way] !== hash) continue;
      const line = tags / 16 + 1 + way;
      if (this.#holds(line, bytes, from, length)) return line;
    }
    return -1;
  }

  #holds(line: number, bytes: Uint8Array, from: number, length: number): boolean {
    const start = line * LINE_BYTES;
    if (this.#bytes[start + UID_LENGTH] !== length) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[start + UID + i] !== bytes[from + i]) return false;
    }
    return true;
  }

  #isGood(line: number, hash: number, nowMs: number): boolean {
    return (
      this.#ints[line * 16 + GENERATION] === this.#generations.of(hash) &&
      nowMs - (this.#floats[line * 8 + FILLED_AT] as number) < this.#ttlMs
    );
  }

  /** A line of the hash's bucket that is free now, and tagged with it. */
  #claim(hash: number, nowMs: number): number {
    const tags = this.#tagsOf(hash);
    const way = this.#freeWay(tags) ?? this.#giveUpWay(tags, nowMs);
    this.#ints[tags + way] = hash;
    return tags / 16 + 1 + way;
  }

  #freeWay(tags: number): number | undefined {
    for (let way = 0; way < WAYS; way++) {
      if (this.#ints[tags + way] !== 0) continue;
      this.size += 1;
      return way;
    }
    return undefined;
  }

  #giveUpWay(tags: number, nowMs: number): number {
    // After one round every entry counts as not used, so the second ends the search.
    for (let way = this.#ints[tags + HAND] as number; ; way = (way + 1) % WAYS) {
      const line = tags / 16 + 1 + way;
      const used = line * LINE_BYTES + USED;
      if (this.#bytes[used] === 0 || !this.#isGood(line, this.#ints[tags + way] as number, nowMs)) {
        this.#ints[tags + HAND] = (way + 1) % WAYS;
        this.#sets.release(this.#setIdOf(line));
        this.evictions += 1;
        return way;
      }
      this.#bytes[used] = 0;
    }
  }

  /** Whether the sets are within their bound, after some buckets were emptied where they were not. */
  #hasRoomForSets(): boolean {
    for (let i = 0; i < SET_EVICTIONS && this.#sets.sizeBytes > this.#maxSetBytes; i++) {
      this.#emptyBucket(this.#sweep);
      this.#sweep = (this.#sweep + 1) % this.#buckets;
    }
    return this.#sets.sizeBytes <= this.#maxSetBytes;
  }

  #emptyBucket(bucket: number): void {
    const tags = bucket * (BUCKET_BYTES / 4);
    for (let way = 0; way < WAYS; way++) {
      if (this.#ints[tags + way] === 0) continue;
      this.#ints[tags + way] = 0;
      this.#sets.release(this.#setIdOf(tags / 16 + 1 + way));
      this.size -= 1;
      this.evictions += 1;
    }
  }
}
