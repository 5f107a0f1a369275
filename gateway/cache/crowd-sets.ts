/**
 * The sets of crowds that cached users are in, each kept once: a million users share a few hundred sets. A set holds
 * the ready-made end of its users' list replies. Sets are counted; one that no cache entry refers to is soon asked for
 * again, so it stays until there is no room.
 */
import { listTail } from '../match/replies.js';

export interface CrowdSet {
  readonly id: number;
  /** Active crowds only. */
  readonly codes: ReadonlySet<string>;
  /** The list reply after the uid, fresh: as bytes for the fast path, as text for a batch. */
  readonly listTail: Uint8Array;
  readonly listText: string;
}

interface Kept extends CrowdSet {
  readonly key: string;
  readonly sizeBytes: number;
  references: number;
}

/** An object, a Set and their parts, as measured with 100,000 distinct sets: a bound, not an exact size. */
const OVERHEAD_BYTES = 400;
const PER_CODE_BYTES = 64;

function sizeOf(codes: readonly string[]): number {
  return codes.reduce((size, code) => size + 3 * code.length + PER_CODE_BYTES, OVERHEAD_BYTES);
}

export class CrowdSets {
  readonly #byKey = new Map<string, Kept>();
  readonly #byId: (Kept | undefined)[] = [];
  readonly #freeIds: number[] = [];
  /** Those without a reference, the longest unused first. */
  readonly #unused = new Set<Kept>();
  sizeBytes = 0;

  get(id: number): CrowdSet {
    return this.#byId[id] as CrowdSet;
  }

  /** One reference more, for `release` to take back. `sortedCodes` without repeats. */
  acquire(sortedCodes: readonly string[]): CrowdSet {
    const key = sortedCodes.length === 1 ? (sortedCodes[0] as string) : sortedCodes.join();
    let set = this.#byKey.get(key);
    if (set === undefined) {
      const listText = listTail(sortedCodes, 'fresh');
      set = {
        id: this.#freeIds.pop() ?? this.#byId.length,
        key,
        codes: new Set(sortedCodes),
        listTail: Buffer.from(listText),
        listText,
        sizeBytes: sizeOf(sortedCodes),
        references: 0,
      };
      this.#byKey.set(key, set);
      this.#byId[set.id] = set;
      this.sizeBytes += set.sizeBytes;
    }
    if (set.references === 0) this.#unused.delete(set);
    set.references += 1;
    return set;
  }

  /** One reference less. */
  release(id: number): void {
    const set = this.#byId[id] as Kept;
    set.references -= 1;
    if (set.references === 0) this.#unused.add(set);
  }

  /** Forgets unused sets until all take at most `maxBytes`; returns whether they do. */
  forgetUnused(maxBytes: number): boolean {
    if (this.sizeBytes <= maxBytes) return true;
    for (const set of this.#unused) {
      this.#unused.delete(set);
      this.#byKey.delete(set.key);
      this.#byId[set.id] = undefined;
      this.#freeIds.push(set.id);
      this.sizeBytes -= set.sizeBytes;
      if (this.sizeBytes <= maxBytes) return true;
    }
    return false;
  }
}
