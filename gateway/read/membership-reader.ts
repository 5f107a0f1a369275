/**
 * Misses: reads users from the shared cache, where there is one, and then from the store, and fills the cache.
 *
 * One read per user is under way at a time, and those of one turn of the event loop go together. A request joins a read
 * only if the user's generation is still the one noted when the read was asked for; after a change it gets a read of its
 * own, so that no answer given after a change was applied comes from a read begun before it.
 *
 * Who is found in the shared cache is answered before the store is asked for the others: neither waits for it nor fails
 * with it.
 */
import { QuanrenError } from '../../errors/quanren-error.js';
import type { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import type { MembershipStore, Memberships, PartialMembershipSource } from '../../stores/membership-store.js';
import type { CrowdSet } from '../cache/crowd-sets.js';
import type { Generations } from '../cache/generations.js';
import type { MembershipCache } from '../cache/membership-cache.js';
import type { CrowdCatalog } from '../match/crowd-catalog.js';
import { type Flight, Flights, type ReadOutcome, type Waiter } from './flights.js';
import type { Admission } from './load-shedder.js';
import { readFailure } from './read-failure.js';
import type { SharedAnswer, SharedLevel } from './shared-level.js';

/** With `getEach`, those who can be read are not held up by those who cannot. */
export type MembershipSource = Pick<MembershipStore, 'getMany'> & Partial<PartialMembershipSource>;

export interface ReaderCounters {
  /** Uids asked of the store; fills are those that were kept in the cache, drops those overtaken by a change. */
  onBatch(size: number, tookMs: number): void;
  onCoalesced(): void;
  /** A user is read before his entry ends. */
  onRefresh(): void;
  onFill(): void;
  onGenerationDrop(): void;
}

export interface MembershipReaderOptions {
  readonly source: MembershipSource;
  /** Hears of each error of a read that is not ours. */
  readonly onDefect: (error: unknown) => void;
  readonly shared?: SharedLevel | undefined;
  readonly cache: MembershipCache;
  readonly generations: Generations;
  readonly catalog: CrowdCatalog;
  readonly limit: ConcurrencyLimit;
  readonly shedder: Admission;
  readonly counters: ReaderCounters;
  readonly deadlineMs: number;
  /** Runs a function at the end of this turn of the event loop. */
  readonly atTurnEnd: (run: () => void) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Milliseconds that this process's event loop has been busy so far. */
  readonly busyMs: () => number;
}

/** A user whom the shared cache does not know, and the lease to fill him under where it gave one. */
interface Miss {
  readonly flight: Flight;
  readonly token?: string;
}

/** Uids in one read of the store. */
export const MAX_BATCH = 256;
/** Requests that wait for reads, joined ones included. */
const MAX_WAITERS = 65_536;

export const BEHIND = new QuanrenError(
  'overloaded',
  'This gateway has more to do than it can; another may have less.',
);
export const OVERLOADED = new QuanrenError('overloaded', 'The store is asked as much as it can answer.');

export class MembershipReader {
  readonly #options: MembershipReaderOptions;
  readonly #flights = new Flights();
  #queue: Flight[] = [];
  #isFlushDue = false;
  #waiters = 0;

  constructor(options: MembershipReaderOptions) {
    this.#options = options;
  }

  /**
   * Calls `done` once, later or (refused) at once. `bytes` is the uid in UTF-8, `hash` its hash. `isAdmitted`: the shedder was
   * asked for this read before.
   */
  read(uid: string, bytes: Uint8Array, hash: number, done: Waiter, isAdmitted = false): void {
    const { generations, limit, shedder, counters, atTurnEnd } = this.#options;
    const generation = generations.of(hash);
    const under = this.#flights.find(uid, hash);
    if (this.#waiters >= MAX_WAITERS) {
      done(OVERLOADED);
      return;
    }
    if (under !== undefined && under.generation === generation) {
      this.#waiters += 1;
      under.waiters.push(done);
      counters.onCoalesced();
      return;
    }
    if (!isAdmitted && !shedder.admits()) {
      done(BEHIND);
      return;
    }
    if (!limit.tryAcquire()) {
      done(OVERLOADED);
      return;
    }
    this.#waiters += 1;
    const flight: Flight = { uid, bytes, hash, generation, waiters: [done], next: undefined };
    this.#flights.add(flight);
    this.#queue.push(flight);
    // Never within the turn, however long the queue: a store that answers at once would have replies written while
    // uWebSockets.js still holds its one write buffer for another connection, and each header would be a packet.
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    atTurnEnd(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /** Reads a user anew for the cache alone, unless he is being read. `bytes` is the uid in UTF-8, `hash` its hash. */
  refresh(hash: number, bytes: Uint8Array): void {
    const uid = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
    if (this.#flights.find(uid, hash) !== undefined) return;
    this.#options.counters.onRefresh();
    this.read(uid, bytes, hash, () => {});
  }

  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (let start = 0; start < queue.length; start += MAX_BATCH) {
      void this.#run(queue.slice(start, start + MAX_BATCH));
    }
  }

  async #run(batch: readonly Flight[]): Promise<void> {
    const startMs = performance.now();
    const { shared } = this.#options;
    // Without a second level the store is asked within this turn.
    if (shared === undefined || shared.trust === null) {
      await this.#readStore(
        batch.map((flight) => ({ flight })),
        startMs,
      );
      return;
    }
    const answer = await shared.read(batch.map(({ uid }) => uid));
    const misses = this.#takeKnown(batch, answer);
    if (misses.length > 0) await this.#readStore(misses, startMs, answer);
  }

  /**
   * Answers those that the shared cache knows; returns the others. What a change has overtaken is not believed: nobody
   * invalidates in a shared cache that the gateway has stopped to trust, and the answer would be called as fresh as the
   * stream is by now.
   */
  #takeKnown(batch: readonly Flight[], answer: SharedAnswer | undefined): readonly Miss[] {
    const { limit, catalog, generations, now } = this.#options;
    const misses: Miss[] = [];
    batch.forEach((flight, i) => {
      const outcome = answer?.outcomes[i];
      if (outcome?.kind !== 'value' || generations.of(flight.hash) !== flight.generation) {
        misses.push(outcome?.kind === 'lease' ? { flight, token: outcome.token } : { flight });
        return;
      }
      limit.giveBack(1);
      this.#finish(flight, catalog.sortedActive(outcome.codes), now() - outcome.ageMs);
    });
    return misses;
  }

  /** `startMs`: when the flights took off, on `performance.now()`'s clock. */
  async #readStore(misses: readonly Miss[], startMs: number, answer?: SharedAnswer): Promise<void> {
    const { source, limit, counters, catalog, deadlineMs, now, busyMs, onDefect } = this.#options;
    const askedMs = performance.now();
    const busyBeforeMs = busyMs();
    let outcomes: readonly ReadOutcome[];
    let hasFailed = false;
    try {
      const uids = misses.map(({ flight }) => flight.uid);
      const options = { deadlineMs: Math.max(1, deadlineMs - Math.round(askedMs - startMs)) };
      const found = await (source.getEach?.(uids, options) ?? source.getMany(uids, options));
      if (answer !== undefined) fillShared(answer, misses, found);
      outcomes = found.map((each) =>
        each instanceof QuanrenError ? readFailure(each, onDefect) : catalog.sortedActive(each.keys()),
      );
      // One server of several that is away says nothing of how much the others can be asked.
      hasFailed = outcomes.every((each) => each instanceof QuanrenError);
    } catch (error) {
      hasFailed = true;
      const failure = readFailure(error, onDefect);
      outcomes = misses.map(() => failure);
    }
    const tookMs = performance.now() - askedMs;
    // What this process was busy meanwhile is its own slowness: refusing more for it would only make it busier.
    const waitedMs = Math.max(0, tookMs - (busyMs() - busyBeforeMs));
    limit.release(misses.length, waitedMs, hasFailed, now());
    counters.onBatch(misses.length, tookMs);
    misses.forEach(({ flight }, i) => {
      this.#finish(flight, outcomes[i] as ReadOutcome, now());
    });
  }

  /** `readAtMs`: epoch milliseconds; the entry's age counts from then. */
  #finish(flight: Flight, outcome: ReadOutcome, readAtMs: number): void {
    const { cache, generations, counters } = this.#options;
    this.#flights.remove(flight);
    let kept: CrowdSet | undefined;
    if (!(outcome instanceof QuanrenError)) {
      const { hash, bytes, generation } = flight;
      if (generations.of(hash) !== generation) counters.onGenerationDrop();
      else {
        kept = cache.store(hash, bytes, 0, bytes.length, generation, outcome, readAtMs);
        if (kept !== undefined) counters.onFill();
      }
    }
    this.#waiters -= flight.waiters.length;
    for (const done of flight.waiters) done(outcome, kept);
  }
}

/** Nobody waits for it: a fill that is lost is a miss. */
function fillShared(
  answer: SharedAnswer,
  misses: readonly Miss[],
  found: readonly (Memberships | QuanrenError)[],
): void {
  const fills = misses.flatMap(({ flight, token }, i) => {
    const crowds = found[i];
    const isKnown = crowds !== undefined && !(crowds instanceof QuanrenError);
    return isKnown && token !== undefined ? [{ uid: flight.uid, token, codes: [...crowds.keys()] }] : [];
  });
  if (fills.length > 0) void answer.fill(fills);
}
