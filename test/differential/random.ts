/** A seeded source of randomness: the same seed, the same numbers, on every machine. */
export class Random {
  #state: number;

  /** Any whole number; those that differ by 2^32 are the same seed. */
  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** 0 to 2^32 − 1 (the mulberry32 generator). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** 0 to below − 1. */
  int(below: number): number {
    return Math.floor((this.next() / 2 ** 32) * below);
  }

  /** Both ends in. */
  between(low: number, high: number): number {
    return low + this.int(high - low + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError('There is nothing to pick from.');
    return item;
  }

  /** The items in some order. */
  shuffle<T>(items: readonly T[]): T[] {
    return items
      .map((item) => ({ item, place: this.next() }))
      .sort((a, b) => a.place - b.place)
      .map(({ item }) => item);
  }

  /** Items of `make`, as many as a number between the two says. */
  list<T>(low: number, high: number, make: () => T): T[] {
    return Array.from({ length: this.between(low, high) }, make);
  }

  /** `length` ASCII digits. */
  digits(length: number): string {
    return Array.from({ length }, () => this.int(10)).join('');
  }
}
