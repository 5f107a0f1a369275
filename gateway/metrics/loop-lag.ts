/** The longest delay of the event loop within the last minute: who scrapes every 15 or 30 seconds is to miss no pause. */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Between two looks of Node.js at its loop; it counts this as delay too. */
const RESOLUTION_MS = 10;

/** The greatest of the last so many numbers. */
export class RecentMaximum {
  readonly #count: number;
  readonly #numbers: number[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** The greatest, this one among them. */
  add(number: number): number {
    this.#numbers.push(number);
    if (this.#numbers.length > this.#count) this.#numbers.shift();
    return Math.max(...this.#numbers);
  }
}

export class LoopLag {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #recent: RecentMaximum;

  /** `readings`: calls of `read` within a minute. */
  constructor(readings: number) {
    this.#recent = new RecentMaximum(readings);
    this.#delay.enable();
  }

  /** In seconds. */
  read(): number {
    const longestMs = Math.max(0, this.#delay.max / 1e6 - RESOLUTION_MS);
    this.#delay.reset();
    return this.#recent.add(longestMs / 1_000);
  }
}
