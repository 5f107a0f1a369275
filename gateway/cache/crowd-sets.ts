/**
 * The sets of crowds that cached users are in, each kept once: a million users share a few hundred sets. A set holds
 * the ready-made end of its users' list replies. Sets are counted, and go when no cache entry refers to them.
 */
import { listTail } from '../match/replies.js';

export interface CrowdSet {
  readonly id: number;
  /** Active crowds only. */
  readonly codes: ReadonlySet<string>;
  /** The list reply after the uid, fresh. */
  readonly listTail: Uint8Array;
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
  return codes.reduce((size, code) => size + 2 * code.length + PER_CODE_BYTES, OVERHEAD_BYTES);
}

export class CrowdSets {
  readonly #byKey = new Map<string, Kept>();
  readonly #byId: (Kept | undefined)[] = [];
  readonly #freeIds: number[] = [];
  sizeBytes = 0;

  get(id: number): CrowdSet {
    return this.#byId[id] as CrowdSet;
  }

  /** One reference more, for `release` to take back. `sortedCodes` without repeats. */
  acquire(sortedCodes: readonly string[]): CrowdSet {
    const key = sortedCodes.length === 1 ? (sortedCodes[0] as string) : sortedCodes.join();
    let set = this.#byKey.get(key);
    if (set === undefined) {
      set = {
        id: this.#freeIds.pop() ?? this.#byId.length,
        key,
        codes: new Set(sortedCodes),
        listTail: Buffer.from(listTail(sortedCodes, 'fresh')),
        sizeBytes: sizeOf(sortedCodes),
        references: 0,
      };
      this.#byKey.set(key, set);
      this.#byId[set.id] = set;
      this.sizeBytes += set.sizeBytes;
    }
    set.references += 1;
    return set;
  }

  /** One reference less. */
  release(id: number): void {
    const set = this.#byId[id] as Kept;
    set.references -= 1;
    if (set.references > 0) return;
    this.#byKey.delete(set.key);
    this.#byId[id] = undefined;
    this.#freeIds.push(id);
    this.sizeBytes -= set.sizeBytes;
  }
}
