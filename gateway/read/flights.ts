/**
 * The reads that are under way, by their users.
 *
 * A table of lists that stays: a Map would do too, but keeps what is long over alive (docs/adr/0013).
 */
import type { QuanrenError } from '../../errors/quanren-error.js';
import type { CrowdSet } from '../cache/crowd-sets.js';

/** The user's active crowds, sorted; or why they are not known. */
export type ReadOutcome = readonly string[] | QuanrenError;

/** `kept`: the same crowds with the end of their reply, where they were kept in the cache. */
export type Waiter = (outcome: ReadOutcome, kept?: CrowdSet) => void;

/** One read of one user, and who waits for it. */
export interface Flight {
  readonly uid: string;
  /** The uid in UTF-8. */
  readonly bytes: Uint8Array;
  /** Of the uid, as `gateway/cache/uid-hash.ts` has it. */
  readonly hash: number;
  readonly generation: number;
  readonly waiters: Waiter[];
  /** In the same list: of `Flights` alone. */
  next: Flight | undefined;
}

/** A power of 2: as many reads as are under way on a good day. */
const LISTS = 4_096;

export class Flights {
  readonly #lists = new Array<Flight | undefined>(LISTS).fill(undefined);

  find(uid: string, hash: number): Flight | undefined {
    let flight = this.#lists[hash & (LISTS - 1)];
    while (flight !== undefined && flight.uid !== uid) flight = flight.next;
    return flight;
  }

  /** Takes the place of another of the same user. */
  add(flight: Flight): void {
    const earlier = this.find(flight.uid, flight.hash);
    if (earlier !== undefined) this.remove(earlier);
    const list = flight.hash & (LISTS - 1);
    flight.next = this.#lists[list];
    this.#lists[list] = flight;
  }

  /** Harmless where another has taken its place. */
  remove(flight: Flight): void {
    const list = flight.hash & (LISTS - 1);
    let before: Flight | undefined;
    let each = this.#lists[list];
    while (each !== undefined && each !== flight) {
      before = each;
      each = each.next;
    }
    if (each === undefined) return;
    if (before === undefined) this.#lists[list] = flight.next;
    else before.next = flight.next;
    flight.next = undefined;
  }
}
