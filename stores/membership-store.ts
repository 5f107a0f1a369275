/**
 * Who is in which crowd. One interface, held by `membership-store.contract.ts` for every implementation.
 *
 * Every change carries a change time, and the newest change of a (uid, crowd) decides: an older change never undoes a
 * newer one, and at a tie leaving wins. So any order and any repetition of the same changes ends in the same state.
 */

import type { QuanrenError } from '../errors/quanren-error.js';

/** 7 days: departures are remembered this long, so changes older than that are refused. */
export const LATENESS_BOUND_MS = 7 * 24 * 3_600_000;
/** Changes further ahead of now than this are refused: one wrong clock must not freeze a membership. */
export const FUTURE_BOUND_MS = 5 * 60_000;

export interface MembershipChange {
  readonly uid: string;
  readonly crowdCode: string;
  readonly kind: 'enter' | 'leave';
  /** Epoch milliseconds: the event's time online, the start of the run offline. */
  readonly changeTimeMs: number;
}

/** What became of each change; the counts add up to the number given. */
export interface ApplyResult {
  /** Durable in the store: it took effect, or a newer change had decided already. */
  readonly accepted: number;
  readonly refusedTooOld: number;
  readonly refusedFuture: number;
}

/** The crowds that a user is in, with the change time of each; empty for a user never seen. */
export type Memberships = ReadonlyMap<string, number>;

export interface ReadOptions {
  /** The read rejects with `unavailable` when it has taken this long. */
  readonly deadlineMs?: number;
}

/** What a store offers that reads without waiting: from memory that it shares with this process. */
export interface ImmediateMembershipSource {
  /** As `get`, at once. It holds the thread for as long as the read takes, so it is for one user at a time. */
  getNow(uid: string): Memberships;
}

/** What a store offers whose parts may be away one by one. */
export interface PartialMembershipSource {
  /** As `getMany`; who could not be read has the reason in his place. Rejects only where nobody was asked for. */
  getEach(uids: readonly string[], options?: ReadOptions): Promise<readonly (Memberships | QuanrenError)[]>;
}

export interface MembershipStore {
  get(uid: string, options?: ReadOptions): Promise<Memberships>;
  /** One answer per uid, in the order and with the repeats of `uids`. */
  getMany(uids: readonly string[], options?: ReadOptions): Promise<Memberships[]>;
  /** Resolves when every accepted change is durable. `nowMs` decides which changes are too old or ahead of time. */
  apply(changes: readonly MembershipChange[], nowMs: number): Promise<ApplyResult>;
  /** Every member of a crowd, in row-key order, as of the start of the scan or later. */
  scanCrowd(crowdCode: string): AsyncIterable<{ readonly uid: string; readonly changeTimeMs: number }>;
  /** Forgets everything, departures too. */
  clear(): Promise<void>;
  close(): Promise<void>;
}
