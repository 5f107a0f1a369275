/**
 * Whether Redis is asked at all.
 *
 *   open ──probe succeeds──▶ closed ──a call fails──▶ open
 *
 * It begins open. One failure opens it: a Redis that is slow or gone costs its callers one timeout, and nothing
 * from then on. While it is open, probes of its own find out when that is over, with rests between them that double; they
 * start from the shortest only after it was closed for a while, so that a Redis which comes and goes does not cost much
 * either.
 */
import { backOffMs } from '../../../errors/back-off.js';
export interface BreakerOptions {
  /** Rejects, with the reason, within a bounded time where Redis does not serve. */
  readonly probe: () => Promise<unknown>;
  /** A few words on why it is open, other ones when that changes; undefined when it closed. */
  readonly onChange: (reason: string | undefined) => void;
  /** Milliseconds, of a clock that only measures. */
  readonly now: () => number;
}

export const REST = { firstMs: 50, longestMs: 1_000 };
/** Closed for this long, it counts as healthy. */
export const STEADY_MS = 5_000;
/** Told of one outage at most. */
const MAX_REASONS = 4;

export class Breaker {
  readonly #options: BreakerOptions;
  #isOpen = true;
  readonly #told = new Set<string>();
  #failures = 0;
  #closedAtMs: number;
  #timer: NodeJS.Timeout | undefined;
  #isProbing = false;
  #isEnded = false;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#closedAtMs = options.now();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** A call failed, or the connection did. */
  fail(reason: string): void {
    if (this.#isEnded) return;
    if (!this.#isOpen) {
      this.#isOpen = true;
      if (this.#options.now() - this.#closedAtMs > STEADY_MS) this.#failures = 0;
      this.#tell(reason);
    }
    this.#rest();
  }

  /** There is reason to believe that it is back: no need to wait for the next probe. */
  hurry(): void {
    if (!this.#isOpen || this.#isProbing || this.#isEnded) return;
    clearTimeout(this.#timer);
    void this.#probe();
  }

  /** Open for good. */
  end(): void {
    this.#isEnded = true;
    this.#isOpen = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #rest(): void {
    if (this.#timer !== undefined || this.#isProbing) return;
    this.#failures += 1;
    this.#timer = setTimeout(() => void this.#probe(), backOffMs(REST, this.#failures));
    this.#timer.unref();
  }

  async #probe(): Promise<void> {
    this.#timer = undefined;
    this.#isProbing = true;
    let failure: string | undefined;
    try {
      await this.#options.probe();
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
    }
    this.#isProbing = false;
    if (this.#isEnded) return;
    if (failure !== undefined) {
      this.#tell(failure);
      this.#rest();
      return;
    }
    this.#isOpen = false;
    this.#closedAtMs = this.#options.now();
    this.#told.clear();
    this.#options.onChange(undefined);
  }

  /** Each reason once while it lasts: they come again and again. */
  #tell(reason: string): void {
    if (this.#told.has(reason) || this.#told.size >= MAX_REASONS) return;
    this.#told.add(reason);
    this.#options.onChange(reason);
  }
}
