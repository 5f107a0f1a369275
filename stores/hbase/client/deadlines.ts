/**
 * Deadlines of many operations with one timer: they are kept in slots of `SLOT_MS`, and come at most that much late.
 *
 * The slots are a wheel of arrays that stay. A Map of slots would do too, but keeps what is long over alive: docs/adr/0013.
 */
export const SLOT_MS = 5;
/** One turn of the wheel is ten seconds; what lies further ahead is met before its time, and left there. */
export const SLOTS = 2_048;

export interface Expirable {
  /** By the clock of `performance.now`, which nobody sets. Stays the same. */
  readonly deadlineAtMs: number;
  /** Its place within its slot: of `Deadlines` alone. */
  place: number;
  expire(): void;
}

export class Deadlines<Item extends Expirable> {
  readonly #slots: readonly Item[][] = Array.from({ length: SLOTS }, () => []);
  #timer: NodeJS.Timeout | undefined;
  #timerSlot = Number.POSITIVE_INFINITY;

  add(item: Item): void {
    const slot = slotOf(item);
    const items = this.#itemsOf(slot);
    item.place = items.length;
    items.push(item);
    if (slot < this.#timerSlot) this.#setTimer(slot);
  }

  /** Harmless when it has expired. */
  remove(item: Item): void {
    const items = this.#itemsOf(slotOf(item));
    if (items[item.place] !== item) return;
    const last = items.pop();
    if (last === undefined || last === item) return;
    last.place = item.place;
    items[item.place] = last;
  }

  /** Those that have neither expired nor been removed. */
  items(): Item[] {
    return this.#slots.flat();
  }

  #itemsOf(slot: number): Item[] {
    return this.#slots[slot % SLOTS] as Item[];
  }

  #setTimer(slot: number): void {
    clearTimeout(this.#timer);
    this.#timerSlot = slot;
    this.#timer = setTimeout(() => this.#expire(slot), Math.max(1, slot * SLOT_MS - performance.now()));
    this.#timer.unref();
  }

  #expire(fromSlot: number): void {
    const nowSlot = Math.floor(performance.now() / SLOT_MS);
    this.#timerSlot = Number.POSITIVE_INFINITY;
    for (let slot = Math.max(fromSlot, nowSlot - SLOTS + 1); slot <= nowSlot; slot += 1) {
      for (const item of this.#itemsOf(slot).filter((each) => slotOf(each) <= nowSlot)) {
        this.remove(item);
        item.expire();
      }
    }
    const ahead = this.#nextUsedSlot(nowSlot + 1);
    if (ahead < this.#timerSlot) this.#setTimer(ahead);
  }

  /** Infinity: nothing waits. */
  #nextUsedSlot(fromSlot: number): number {
    for (let slot = fromSlot; slot < fromSlot + SLOTS; slot += 1) {
      if (this.#itemsOf(slot).length > 0) return slot;
    }
    return Number.POSITIVE_INFINITY;
  }
}

function slotOf({ deadlineAtMs }: Expirable): number {
  return Math.ceil(deadlineAtMs / SLOT_MS);
}
