/**
 * What makes a cached answer old. Every change of a user moves the generation of his slot, a change of everything (a
 * refreshed crowd, a changed catalog) moves all. An answer is kept with the generation that was noted before it was
 * read, and is good only while the generation is still the same: no stale fill outlives an invalidation.
 *
 * Users share slots; one's change then drops the other's answer too, which costs a read and is never wrong. There are so
 * many that, while the store is away and 1,000 users change in a second, a minute later 19 of 20 answers are still kept.
 */
export const GENERATION_SLOTS = 1_048_576;

/** The slot of a uid by its hash; bit 0 of the hash is always 1. */
export function slotOf(hash: number): number {
  return (hash >>> 1) & (GENERATION_SLOTS - 1);
}

export class Generations {
  readonly #slots = new Int32Array(GENERATION_SLOTS);
  #all = 0;

  /** Both parts only grow, so the sum moves when either does; it wraps after 2^32 changes of one slot. */
  of(hash: number): number {
    return ((this.#slots[slotOf(hash)] as number) + this.#all) | 0;
  }

  moveSlot(slot: number): void {
    const index = slot & (GENERATION_SLOTS - 1);
    this.#slots[index] = ((this.#slots[index] as number) + 1) | 0;
  }

  moveAll(): void {
    this.#all = (this.#all + 1) | 0;
  }
}
