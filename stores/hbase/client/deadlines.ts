/**
 * Deadlines of many operations with one timer: they are kept in slots of `SLOT_MS`, and come at most that much late.
 */
export const SLOT_MS = 5;

export interface Expirable {
  expire(): void;
}

export class Deadlines {
  readonly #slots = new Map<number, Set<Expirable>>();
  #timer: NodeJS.Timeout | undefined;
  #timerSlot = Number.POSITIVE_INFINITY;

  /** `atMs`: by the clock of `performance.now`, which nobody sets. */
  add(item: Expirable, atMs: number): void {
    const slot = Math.ceil(atMs / SLOT_MS);
    const items = this.#slots.get(slot);
    if (items !== undefined) {
      items.add(item);
      return;
    }
    this.#slots.set(slot, new Set([item]));
    if (slot < this.#timerSlot) this.#setTimer(slot);
  }

  /** As it was added. Harmless when it has expired. */
  remove(item: Expirable, atMs: number): void {
    const slot = Math.ceil(atMs / SLOT_MS);
    const items = this.#slots.get(slot);
    if (items?.delete(item) === true && items.size === 0) this.#slots.delete(slot);
  }

  #setTimer(slot: number): void {
    clearTimeout(this.#timer);
    this.#timerSlot = slot;
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, slot * SLOT_MS - performance.now()));
    this.#timer.unref();
  }

  #expire(): void {
    const now = performance.now() / SLOT_MS;
    let next = Number.POSITIVE_INFINITY;
    for (const [slot, items] of [...this.#slots]) {
      if (slot > now) {
        next = Math.min(next, slot);
        continue;
      }
      this.#slots.delete(slot);
      for (const item of items) item.expire();
    }
    this.#timerSlot = Number.POSITIVE_INFINITY;
    if (next !== Number.POSITIVE_INFINITY) this.#setTimer(next);
  }
}
