/**
 * What this gateway's workers may believe of the shared cache (the protocol is written in `cache/shared-cache.ts`): it
 * invalidates what the stream says has changed, and keeps the trust that follows from how that went.
 *
 *   warming ──replayed──▶ open ──a change could not be invalidated, or another server answers──▶ shut
 *      └──────────────────── the same ────────────────────────────────────────────────────────▶ shut
 *   shut ──a look at the server, during which no change was missed──▶ open (for what is leased from then on)
 *
 * - *warming*, at the start: entries of before are believed once the stream has been consumed from so long ago that no entry is
 *   older; until then what changed is invalidated and nothing is read.
 * - *shut*: nothing is read, so nothing is invalidated.
 */
import { MAX_SHARED_UIDS, type SharedCache, type Trust } from '../cache/shared-cache.js';
import { ServerClock } from './server-clock.js';

/**
 * How far the clocks of this machine, of those that write to the stream and of the cache's server are taken to agree, and
 * to be set at once. It matters at the start alone: how far back the stream is replayed, and what is believed of entries
 * from before.
 */
export const CLOCK_SKEW_MS = 60_000;
/** A change that comes while the server is looked at makes the look worthless: so many are tried in one check. */
const LOOKS = 3;

export interface SharedCacheGateOptions {
  readonly cache: SharedCache;
  /** Hears at once what to believe from now on; null: nothing. */
  readonly onTrust: (trust: Trust | null) => void;
  /** Why the cache is not used, in a few words; once until it is used again, or for another reason. */
  readonly onShut: (reason: string) => void;
  /** By default `CLOCK_SKEW_MS`. */
  readonly skewMs?: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
}

export const GATE_STATES = ['warming', 'open', 'shut'] as const;
export type GateState = (typeof GATE_STATES)[number];

export class SharedCacheGate {
  readonly #options: SharedCacheGateOptions;
  readonly #skewMs: number;
  readonly #clock: ServerClock;
  #state: GateState = 'shut';
  /** What invalidations are held to; undefined while shut. */
  #trust: Trust | undefined;
  /** How often a change came while shut. */
  #missed = 0;
  #isChecking = false;
  /** Why it is shut, as last told. */
  #reason: string | undefined;

  constructor(options: SharedCacheGateOptions) {
    this.#options = options;
    this.#skewMs = options.skewMs ?? CLOCK_SKEW_MS;
    this.#clock = new ServerClock({ skewMs: this.#skewMs, stopwatch: options.stopwatch });
  }

  get state(): GateState {
    return this.#state;
  }

  /** What workers may believe now. */
  get trust(): Trust | null {
    return this.#state === 'open' ? (this.#trust ?? null) : null;
  }

  /** To be called once, before the stream is followed: whether entries of before may come to be believed. */
  async warm(): Promise<boolean> {
    const found = await this.#look();
    if (found === undefined) return false;
    this.#trust = { server: found.server, sinceMs: 0 };
    this.#state = 'warming';
    return true;
  }

  /** The stream has been replayed, and everything published before `asOfMs` (epoch ms, the writers' clock) was told here. */
  replayed(asOfMs: number): void {
    if (this.#state !== 'warming' || Math.abs(this.#options.now() - asOfMs) > this.#skewMs) return;
    this.#open();
  }

  /** When it resolves, what the workers have been told to believe holds nothing of these users from before the call. */
  async forget(uids: readonly string[]): Promise<void> {
    const trust = this.#trust;
    if (trust === undefined) {
      this.#missed += 1;
      return;
    }
    for (let start = 0; start < uids.length; start += MAX_SHARED_UIDS) {
      const isDone = await this.#options.cache.invalidate(uids.slice(start, start + MAX_SHARED_UIDS), trust);
      // Where another trust took its place meanwhile, that began after this call, and holds nothing of before.
      if (this.#trust !== trust) return;
      if (!isDone) {
        this.#shut('a change could not be invalidated');
        return;
      }
    }
  }

  /** As `forget`, of every user. */
  async forgetEverything(): Promise<void> {
    const trust = this.#trust;
    if (trust === undefined) {
      this.#missed += 1;
      return;
    }
    const found = await this.#look();
    if (this.#trust !== trust) return;
    if (found?.server !== trust.server) {
      this.#shut('a refreshed crowd could not be forgotten');
      return;
    }
    this.#trust = found;
    if (this.#state === 'open') this.#options.onTrust(this.trust);
  }

  /** To be called every now and then: finds out whether the server is another one, and opens what is shut. */
  async check(): Promise<void> {
    if (this.#isChecking) return;
    this.#isChecking = true;
    for (let i = 0; i < LOOKS && !(await this.#checkOnce()); i++);
    this.#isChecking = false;
  }

  /** False where it is worth another look at once. */
  async #checkOnce(): Promise<boolean> {
    const [trust, missed] = [this.#trust, this.#missed];
    const found = await this.#look();
    if (found === undefined || this.#trust !== trust) return true;
    if (trust !== undefined) {
      if (found.server !== trust.server) this.#shut('another server answers, or it was started again');
      return true;
    }
    if (missed !== this.#missed) return false;
    this.#trust = found;
    this.#open();
    return true;
  }

  /**
   * What may be believed of what is leased from now on. Undefined while the cache is away, and where a server never seen before
   * has another time: nothing could be said of the age of its entries.
   */
  async #look(): Promise<Trust | undefined> {
    const { cache, now, stopwatch } = this.#options;
    const askedAtMs = stopwatch();
    const look = await cache.look();
    if (look === undefined) {
      if (this.#state === 'shut') this.#tellWhy('it is away');
      return undefined;
    }
    if (!this.#clock.hasBeenRead && Math.abs(look.timeMs - now()) > this.#skewMs) {
      this.#tellWhy(`its clock and ours are more than ${this.#skewMs / 1_000} s apart`);
      return undefined;
    }
    return { server: look.server, sinceMs: this.#clock.read(look, askedAtMs) };
  }

  #open(): void {
    this.#state = 'open';
    this.#reason = undefined;
    this.#options.onTrust(this.trust);
  }

  #shut(reason: string): void {
    const wasOpen = this.#state === 'open';
    this.#trust = undefined;
    this.#state = 'shut';
    if (wasOpen) this.#options.onTrust(null);
    this.#tellWhy(reason);
  }

  #tellWhy(reason: string): void {
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#options.onShut(reason);
  }
}
