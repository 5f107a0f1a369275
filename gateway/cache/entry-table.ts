/**
 * The entries of L1 whose uids fit one size of line: a table in one `ArrayBuffer`. Memory is taken once and nothing is
 * allocated on a hit.
 *
 * Entries lie in buckets of 15, like a processor's cache. A bucket is 16 lines: a line of tags (the hashes of the uids),
 * then a line per entry; a hit touches two lines of one memory page. A full bucket gives up the first entry that was not
 * asked for since the last search (CLOCK within the bucket); so a hit writes one byte, and only the first time.
 * docs/adr/0002-l1-cache.md has the measurements against lru-cache and Map.
 *
 * An entry is found only if its generation has not moved (`generations.ts`) and it is younger than `ttlMs`. Before that
 * ends, some hit asks for it to be read anew, the likelier the nearer the end, so that what is much asked for does not
 * end at all, and not all at once (XFetch: Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede
 * Prevention", VLDB 2015). There is no lock, and the hit is a hit.
 */
import type { CrowdSets } from './crowd-sets.js';
import type { Generations } from './generations.js';

const WAYS = 15;
const LINES_PER_BUCKET = WAYS + 1;
/** In the bucket's first line, as i32: a tag per way, 0 for none, and last where the search for a victim goes on. */
const HAND = 15;
/** An entry's line: generation i32 · set id i32 · filled at f64 (epoch ms) · was used u8 · uid length u8 · uid */
const GENERATION = 0;
const SET_ID = 1;
const FILLED_AT = 1;
const USED = 16;
const UID_LENGTH = 17;
const UID = 18;

/** Of `ttlMs`: so long an entry is young, and no hit asks for it to be read anew. */
export const YOUNG_SHARE = 0.8;
/**
 * Of `ttlMs`: the mean of the exponential distribution in which a hit looks ahead; so at the end of youth one in e^10 asks,
 * at the very end each.
 */
const LOOK_AHEAD_SHARE = (1 - YOUNG_SHARE) / 10;

/** The longest uid, in bytes of UTF-8, that a line of `lineBytes` holds. */
export function uidBytesOfLine(lineBytes: number): number {
  return lineBytes - UID;
}

export interface EntryTableOptions {
  /** Rounded up to a multiple of 15; each takes 16/15 of a line, and Node 20 has no array of more than 4 GiB. */
  readonly entries: number;
  /** A multiple of 64, at most 256. */
  readonly lineBytes: number;
  readonly ttlMs: number;
  readonly generations: Generations;
  /** Every entry holds a reference to its set. */
  readonly sets: CrowdSets;
  /** Hears of an entry that should be read anew: its uid is `bytes[from … from + length)`, valid during the call. */
  readonly onAging: (hash: number, bytes: Uint8Array, from: number, length: number) => void;
  /** 0 to below 1. */
  readonly random: () => number;
}

export class EntryTable {
  readonly #generations: Generations;
  readonly #sets: CrowdSets;
  readonly #onAging: EntryTableOptions['onAging'];
  readonly #random: () => number;
  readonly #ttlMs: number;
  readonly #youngMs: number;
  readonly #lineBytes: number;
  readonly #lineInts: number;
  readonly #lineFloats: number;
  readonly #buckets: number;
  readonly #bytes: Uint8Array;
  readonly #ints: Int32Array;
  readonly #floats: Float64Array;
  size = 0;
  evictions = 0;

  constructor(options: EntryTableOptions) {
    this.#generations = options.generations;
    this.#sets = options.sets;
    this.#onAging = options.onAging;
    this.#random = options.random;
    this.#ttlMs = options.ttlMs;
    this.#youngMs = options.ttlMs * YOUNG_SHARE;
    this.#lineBytes = options.lineBytes;
    this.#lineInts = options.lineBytes / 4;
    this.#lineFloats = options.lineBytes / 8;
    this.#buckets = Math.max(1, Math.ceil(options.entries / WAYS));
    const memory = new ArrayBuffer(this.#buckets * LINES_PER_BUCKET * options.lineBytes);
    this.#bytes = new Uint8Array(memory);
    this.#ints = new Int32Array(memory);
    this.#floats = new Float64Array(memory);
  }

  get buckets(): number {
    return this.#buckets;
  }

  /** The set id of the user whose uid is `bytes[from … from + length)` and whose hash is `hash`; -1 where unknown. */
  find(hash: number, bytes: Uint8Array, from: number, length: number, nowMs: number): number {
    const line = this.#locate(hash, bytes, from, length);
    if (line < 0 || this.#ints[line * this.#lineInts + GENERATION] !== this.#generations.of(hash)) return -1;
    const ageMs = nowMs - (this.#floats[line * this.#lineFloats + FILLED_AT] as number);
    if (ageMs >= this.#youngMs) {
      if (ageMs >= this.#ttlMs) return -1;
      if (this.#looksBeyond(this.#ttlMs - ageMs)) this.#onAging(hash, bytes, from, length);
    }
    const used = line * this.#lineBytes + USED;
    if (this.#bytes[used] === 0) this.#bytes[used] = 1;
    return this.#setIdOf(line);
  }

  /** Puts an entry, in place of the user's older one where there is one; takes over the caller's reference to its set. */
  put(
    hash: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    generation: number,
    setId: number,
    nowMs: number,
  ): void {
    let line = this.#locate(hash, bytes, from, length);
    if (line < 0) line = this.#claim(hash, nowMs);
    else this.#sets.release(this.#setIdOf(line));
    const start = line * this.#lineBytes;
    this.#ints[line * this.#lineInts + GENERATION] = generation;
    this.#ints[line * this.#lineInts + SET_ID] = setId;
    this.#floats[line * this.#lineFloats + FILLED_AT] = nowMs;
    this.#bytes[start + USED] = 0;
    this.#bytes[start + UID_LENGTH] = length;
    for (let i = 0; i < length; i++) this.#bytes[start + UID + i] = bytes[from + i] as number;
  }

  /** Every entry of the bucket that is good; the uid is a copy. */
  visitBucket(
    bucket: number,
    nowMs: number,
    visit: (uid: Uint8Array, setId: number, filledAtMs: number, wasUsed: boolean) => void,
  ): void {
    const firstLine = bucket * LINES_PER_BUCKET;
    const tags = firstLine * this.#lineInts;
    for (let way = 0; way < WAYS; way++) {
      const hash = this.#ints[tags + way] as number;
      const line = firstLine + 1 + way;
      if (hash === 0 || !this.#isGood(line, hash, nowMs)) continue;
      const start = line * this.#lineBytes;
      const uid = this.#bytes.slice(start + UID, start + UID + (this.#bytes[start + UID_LENGTH] as number));
      const filledAtMs = this.#floats[line * this.#lineFloats + FILLED_AT] as number;
      visit(uid, this.#setIdOf(line), filledAtMs, this.#bytes[start + USED] !== 0);
    }
  }

  emptyBucket(bucket: number): void {
    const firstLine = bucket * LINES_PER_BUCKET;
    const tags = firstLine * this.#lineInts;
    for (let way = 0; way < WAYS; way++) {
      if (this.#ints[tags + way] === 0) continue;
      this.#ints[tags + way] = 0;
      this.#sets.release(this.#setIdOf(firstLine + 1 + way));
      this.size -= 1;
      this.evictions += 1;
    }
  }

  /** Lines are counted from the start of the memory; this is the line of tags. */
  #firstLineOf(hash: number): number {
    return ((hash >>> 1) % this.#buckets) * LINES_PER_BUCKET;
  }

  #setIdOf(line: number): number {
    return this.#ints[line * this.#lineInts + SET_ID] as number;
  }

  /** The line of the entry; -1 where there is none. */
  #locate(hash: number, bytes: Uint8Array, from: number, length: number): number {
    const firstLine = this.#firstLineOf(hash);
    const tags = firstLine * this.#lineInts;
    for (let way = 0; way < WAYS; way++) {
      if (this.#ints[tags + way] !== hash) continue;
      const line = firstLine + 1 + way;
      if (this.#holds(line, bytes, from, length)) return line;
    }
    return -1;
  }

  #holds(line: number, bytes: Uint8Array, from: number, length: number): boolean {
    const start = line * this.#lineBytes;
    if (this.#bytes[start + UID_LENGTH] !== length) return false;
    for (let i = 0; i < length; i++) {
      if (this.#bytes[start + UID + i] !== bytes[from + i]) return false;
    }
    return true;
  }

  #looksBeyond(leftMs: number): boolean {
    return -Math.log(1 - this.#random()) * this.#ttlMs * LOOK_AHEAD_SHARE >= leftMs;
  }

  #isGood(line: number, hash: number, nowMs: number): boolean {
    return (
      this.#ints[line * this.#lineInts + GENERATION] === this.#generations.of(hash) &&
      nowMs - (this.#floats[line * this.#lineFloats + FILLED_AT] as number) < this.#ttlMs
    );
  }

  /** A line of the hash's bucket that is free now, and tagged with it. */
  #claim(hash: number, nowMs: number): number {
    const firstLine = this.#firstLineOf(hash);
    const tags = firstLine * this.#lineInts;
    const way = this.#freeWay(tags) ?? this.#giveUpWay(firstLine, tags, nowMs);
    this.#ints[tags + way] = hash;
    return firstLine + 1 + way;
  }

  #freeWay(tags: number): number | undefined {
    for (let way = 0; way < WAYS; way++) {
      if (this.#ints[tags + way] !== 0) continue;
      this.size += 1;
      return way;
    }
    return undefined;
  }

  #giveUpWay(firstLine: number, tags: number, nowMs: number): number {
    // After one round every entry counts as not used, so the second ends the search.
    for (let way = this.#ints[tags + HAND] as number; ; way = (way + 1) % WAYS) {
      const line = firstLine + 1 + way;
      const used = line * this.#lineBytes + USED;
      if (this.#bytes[used] === 0 || !this.#isGood(line, this.#ints[tags + way] as number, nowMs)) {
        this.#ints[tags + HAND] = (way + 1) % WAYS;
        this.#sets.release(this.#setIdOf(line));
        this.evictions += 1;
        return way;
      }
      this.#bytes[used] = 0;
    }
  }
}
