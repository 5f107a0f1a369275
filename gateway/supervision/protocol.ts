/** What the main process and its workers tell each other. Messages of one direction keep their order. */
import type { StoreLocation } from '../../stores/store-location.js';
import type { StoreServer } from '../../stores/store-server.js';
import type { RedisLocation } from '../cache/redis/redis-location.js';
import type { Trust } from '../cache/shared-cache.js';
import type { CrowdChange } from '../match/crowd-catalog.js';
import type { ClockAnchor } from '../steady-clock.js';
import type { StreamPositions } from '../stream/stream-positions.js';

/** Everything a worker needs; it reads no settings. */
export interface WorkerOptions {
  /** Of the one clock that main and workers go by. */
  readonly clock: ClockAnchor;
  readonly host: string;
  readonly port: number;
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly transport: 'auto' | 'node-http';
  readonly auth: {
    readonly jwks: string;
    readonly issuer: string;
    readonly audience: string;
    readonly clockSkewSeconds: number;
    readonly keysMaxAgeSeconds: number;
    readonly apiKeysFile: string;
  };
  readonly stores: StoreLocation;
  /** Where the shared cache is, and what a request may wait for it. */
  readonly redis: { readonly location: RedisLocation; readonly timeoutMs: number } | undefined;
  readonly staleAfterMs: number;
  readonly cacheEntries: number;
  readonly cacheTtlMs: number;
  readonly storeDeadlineMs: number;
  /** What each worker admits; 0: everything. */
  readonly usersPerSecond: number;
  readonly drainWithinMs: number;
  /** Where each worker keeps its hottest entries, and how often it saves them beside when it ends. */
  readonly snapshots: { readonly folder: string; readonly everyMs: number } | undefined;
}

/** One step of the stream: all that a worker applies at once, before it answers anything else. */
export interface StreamStep {
  /** Generation slots of the users that changed. */
  readonly slots?: Int32Array;
  /** Forget everything. */
  readonly isEverythingChanged?: boolean;
  /** The whole catalog, in place of what was known of it. */
  readonly catalog?: readonly CrowdChange[];
  /** What changed in it. */
  readonly crowds?: readonly CrowdChange[];
  /** What to believe of the shared cache from now on; null: nothing. */
  readonly trust?: Trust | null;
  /** Everything that was published before this time has been told (epoch ms). */
  readonly asOfMs?: number;
  /** Comes with `asOfMs`: the messages that have been told. */
  readonly applied?: StreamPositions;
}

export type ToWorker =
  | {
      readonly kind: 'start';
      readonly options: WorkerOptions;
      readonly place: number;
      /** No worker was told of a change yet, so this one may begin with what it knew. */
      readonly mayRemember: boolean;
    }
  | { readonly kind: 'step'; readonly step: StreamStep }
  | { readonly kind: 'drain' };

/** How a worker sees what it lives by. */
export interface WorkerView {
  /** Servers of the store that were lately asked. */
  readonly storeServers: readonly StoreServer[];
  /** Why the store could not be read, until it first could. */
  readonly storeTrouble: string | undefined;
  /** Why the worker does without the shared cache. */
  readonly sharedCacheTrouble: string | undefined;
}

export type FromWorker =
  | {
      readonly kind: 'listening';
      readonly transport: string;
      readonly warning: string | undefined;
      /** The messages that it holds of those from before, where it began with what was saved. */
      readonly held: StreamPositions | undefined;
    }
  /** It cannot start; the sentence is for the person who set it up. */
  | { readonly kind: 'failed'; readonly message: string }
  | {
      readonly kind: 'beat';
      readonly stats: Float64Array;
      /** Undefined until the store was first asked. */
      readonly view: WorkerView | undefined;
    };

/** A worker says this often that it lives, with its numbers. */
export const BEAT_EVERY_MS = 500;
/** A worker that has said nothing for this long spins, and is replaced. */
export const DEAD_AFTER_MS = 5_000;
