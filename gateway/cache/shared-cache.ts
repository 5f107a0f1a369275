/**
 * L2: what one gateway read from the store, for every gateway. Held by `shared-cache.contract.ts` for every
 * implementation, and as a part of the whole by the model in test/model/.
 *
 * **An entry** (one per uid) is absent, a lease, or a value:
 *
 *   absent ──read──▶ lease(token, leasedAt) ──fill(token)──▶ value(codes, leasedAt) ──┐
 *     ▲                    │                                                          │
 *     └────────────────────┴──────── invalidate, or `ttlMs` after leasedAt ◀──────────┘
 *
 * - `read` gives the value, or the token of the lease; where there is neither it makes a lease with a new random token.
 *   Who gets a token reads the store *after* that, and fills. Several readers may hold one token: each of them has read the
 *   store after the lease was made.
 * - `fill` is a compare-and-set on the token. An invalidation in between took the token away, so a fill that it overtook
 *   is dropped: a stale fill never outlives an invalidation, however late it comes and whoever it comes from.
 * - A value keeps the time of its lease, and ends `ttlMs` after it. Times are the server's own (Redis TIME): the clocks
 *   of gateways do not matter.
 *
 * **What a reader may believe** its main process decides (`shared-cache-gate.ts`) and hands to every call as a `Trust`:
 * which server, and the earliest lease. An entry that was leased earlier, or in the server's future, is as good as absent:
 * `read` puts a new lease in its place. A server that is not the trusted one gets no say at all: it may be the same one
 * restarted from an old dump, or a replica that was promoted, and has forgotten invalidations that were acknowledged. So
 *
 * 1. main invalidates, and hears the acknowledgement of the trusted server, *before* it moves the generations of its
 *    workers; else a worker would read the old entry under the new generation, and keep it;
 * 2. where that fails, main tells its workers in the same step to trust nothing; what was missed is made good by trusting,
 *    later, only what was leased after everything missed was in the store: `look` gives the time to begin at;
 * 3. `crowd-refreshed` (forget everything) is the same without the failure: trust begins at a new `look`.
 *
 * **Being away costs nothing but hits.** No call rejects or throws. Each is bounded by the implementation's command timeout;
 * a cache that is away, slow or not the trusted one answers `none`, drops fills, and says that it did not invalidate. A
 * command that was given up may still be carried out later: each is harmless then.
 */

/** What a reader may believe. Sent from main to its workers, so plain data. */
export interface Trust {
  /** As `look` names it. */
  readonly server: string;
  /** Milliseconds of the server's clock: entries leased before are not believed. 0: all are. */
  readonly sinceMs: number;
}

export type SharedRead =
  /** `ageMs`: since its lease, by the server's clock, 0 or more. */
  | { readonly kind: 'value'; readonly codes: readonly string[]; readonly ageMs: number }
  | { readonly kind: 'lease'; readonly token: string }
  /** The cache is away: read the store, and fill nothing. */
  | { readonly kind: 'none' };

export interface SharedFill {
  readonly uid: string;
  /** Of the lease that the store was read under. */
  readonly token: string;
  /** Every crowd that the store has for the user, paused ones too: which of them count is the gateway's to decide. */
  readonly codes: readonly string[];
}

export interface ServerLook {
  /**
   * Names the process, or processes, that hold the entries: another one after a restart, a fail-over, or when a node of a
   * cluster was replaced (the run ids of all masters).
   */
  readonly server: string;
  /** Its clock, epoch milliseconds; of several the one that is ahead. */
  readonly timeMs: number;
}

/** Uids in one call of `read`, `fill` or `invalidate`. */
export const MAX_SHARED_UIDS = 512;

export interface SharedCache {
  /** One outcome per uid, in the order and with the repeats of `uids`. */
  read(uids: readonly string[], trust: Trust): Promise<readonly SharedRead[]>;
  /** Resolves when it is done or given up. */
  fill(fills: readonly SharedFill[], trust: Trust): Promise<void>;
  /**
   * Whether the trusted server has acknowledged it for every uid: no read begun from then on finds an entry, and no fill
   * succeeds, whose lease was made before.
   */
  invalidate(uids: readonly string[], trust: Trust): Promise<boolean>;
  /**
   * Undefined while the cache is away. Entries leased at `timeMs` or later were leased after the call: where leases have
   * whole milliseconds, this is the next one.
   */
  look(): Promise<ServerLook | undefined>;
  /** Ends its connections; calls from then on behave as if the cache were away. */
  close(): Promise<void>;
}
