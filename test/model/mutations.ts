/**
 * Deliberate bugs, each a rule of the protocol that is not kept. A model that does not find them proves nothing: the test
 * asks that it finds every one.
 */
import type { Generations } from '../../gateway/cache/generations.js';
import { MembershipCache, type MembershipCacheOptions } from '../../gateway/cache/membership-cache.js';
import type { SharedCache, Trust } from '../../gateway/cache/shared-cache.js';
import type { SharedCacheGate } from '../../gateway/stream/shared-cache-gate.js';
import type { CacheBugs } from './simulated-redis.js';

type Gate = Pick<SharedCacheGate, 'forget' | 'forgetEverything' | 'replayed' | 'warm' | 'trust'>;

export interface Mutation extends CacheBugs {
  readonly name: string;
  /** The gate as the follower has it. */
  readonly gate?: (gate: SharedCacheGate) => Gate;
  /** The cache as the gate has it. */
  readonly mainCache?: (cache: SharedCache) => SharedCache;
  /** The trust as the workers are told it. */
  readonly trust?: (trust: Trust | null) => Trust | null;
  /** Tells the workers of lost trust after the next step instead of before it. */
  readonly tellsTrustLate?: boolean;
  /** Trust begins at what the server's clock says, whatever it said before. */
  readonly believesClock?: boolean;
  readonly replaysNothing?: boolean;
  readonly fillsL1Always?: boolean;
  /** A worker begins with a snapshot although others were told of changes since. */
  readonly alwaysRemembers?: boolean;
  /** A snapshot is taken to hold so many messages more than it does. */
  readonly holdsMore?: number;
}

function wrap(gate: SharedCacheGate, changes: Partial<Gate>): Gate {
  return {
    forget: (uids) => gate.forget(uids),
    forgetEverything: () => gate.forgetEverything(),
    replayed: (asOfMs) => gate.replayed(asOfMs),
    warm: () => gate.warm(),
    get trust() {
      return gate.trust;
    },
    ...changes,
  };
}

function wrapCache(cache: SharedCache, changes: Partial<SharedCache>): SharedCache {
  return {
    read: (uids, trust) => cache.read(uids, trust),
    fill: (fills, trust) => cache.fill(fills, trust),
    invalidate: (uids, trust) => cache.invalidate(uids, trust),
    look: () => cache.look(),
    close: () => cache.close(),
    ...changes,
  };
}

export const MUTATIONS: readonly Mutation[] = [
  { name: 'a fill needs no lease', fillsWithoutLease: true },
  { name: 'entries are believed whenever they were leased', believesOldLeases: true },
  { name: 'any server is believed', believesAnyServer: true },
  {
    name: 'generations move before the invalidation is acknowledged',
    gate: (gate) =>
      wrap(gate, {
        forget: (uids) => {
          void gate.forget(uids);
          return Promise.resolve();
        },
      }),
  },
  {
    name: 'an invalidation that failed counts as done',
    mainCache: (cache) =>
      wrapCache(cache, { invalidate: (uids, trust) => cache.invalidate(uids, trust).then(() => true) }),
  },
  {
    name: 'after an outage everything is believed again',
    trust: (trust) => (trust === null ? null : { ...trust, sinceMs: 0 }),
  },
  { name: 'the loss of trust is told after the change', tellsTrustLate: true },
  { name: 'the stream is followed from now on, and entries of before are believed', replaysNothing: true },
  {
    name: 'crowd-refreshed forgets nothing in the shared cache',
    gate: (gate) => wrap(gate, { forgetEverything: () => Promise.resolve() }),
  },
  { name: 'a clock that was set back is believed', believesClock: true },
  { name: 'a worker that is replaced begins with a snapshot', alwaysRemembers: true },
  { name: 'a snapshot counts for newer than it is', holdsMore: 3 },
  { name: 'L1 keeps what was overtaken by a change', fillsL1Always: true },
];

/** Keeps every fill under the generation of now. */
export class KeepingCache extends MembershipCache {
  readonly #generations: Generations;

  constructor(options: MembershipCacheOptions) {
    super(options);
    this.#generations = options.generations;
  }

  override store(...args: Parameters<MembershipCache['store']>): ReturnType<MembershipCache['store']> {
    const [hash, bytes, from, length, , codes, nowMs] = args;
    return super.store(hash, bytes, from, length, this.#generations.of(hash), codes, nowMs);
  }
}
