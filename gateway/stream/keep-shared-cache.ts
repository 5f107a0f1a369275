/** The shared cache as the main process has it: it connects, and has the gate look after it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { youngMs } from '../cache/membership-cache.js';
import type { RedisLocation } from '../cache/redis/redis-location.js';
import { openRedisSharedCache } from '../cache/redis/redis-shared-cache.js';
import type { Trust } from '../cache/shared-cache.js';
import { type GateState, SharedCacheGate } from './shared-cache-gate.js';

/** What main may wait for Redis: a change that cannot be invalidated in time costs all that was cached until then. */
const INVALIDATE_WITHIN_MS = 250;
/** Longer than a call takes: the first check must not come before the gate was warmed. */
const CHECK_EVERY_MS = 2 * INVALIDATE_WITHIN_MS;
/** At the start Redis is waited for so long: one that is there then may know what was cached before. */
const CONNECT_WITHIN_MS = 1_000;
const LOOK_EVERY_MS = 20;

export interface SharedCacheOptions {
  readonly location: RedisLocation;
  readonly cacheTtlMs: number;
  /** As the gate's. */
  readonly onTrust: (trust: Trust | null) => void;
  readonly now: () => number;
}

export interface KeptSharedCache {
  readonly gate: SharedCacheGate;
  /** The gate's; and shut while Redis is away, though what the gate trusted stays good for when it is back. */
  readonly state: GateState;
  /** Why it is not used; undefined while it is, or is about to be. */
  readonly trouble: string | undefined;
  /** Resolves when it serves, or was waited for long enough; from then on it is looked at. The stream is followed next. */
  connected(): Promise<void>;
  close(): Promise<void>;
}

/** Throws `set_up`. */
export function keepSharedCache({ location, cacheTtlMs, onTrust, now }: SharedCacheOptions): KeptSharedCache {
  let awayFor: string | undefined = 'it is being connected to';
  let shutFor: string | undefined;
  const cache = openRedisSharedCache({
    location,
    ttlMs: youngMs(cacheTtlMs),
    commandTimeoutMs: INVALIDATE_WITHIN_MS,
    onChange: (reason) => {
      awayFor = reason;
    },
  });
  const gate = new SharedCacheGate({
    cache,
    onTrust,
    onShut: (reason) => {
      shutFor = reason;
    },
    now,
    stopwatch: () => performance.now(),
  });
  let timer: NodeJS.Timeout | undefined;
  return {
    gate,
    get state() {
      return cache.isAway ? 'shut' : gate.state;
    },
    get trouble() {
      return awayFor ?? (gate.state === 'shut' ? shutFor : undefined);
    },
    connected: async () => {
      const deadlineMs = performance.now() + CONNECT_WITHIN_MS;
      while ((await cache.look()) === undefined && performance.now() < deadlineMs) await sleep(LOOK_EVERY_MS);
      timer = setInterval(() => void gate.check(), CHECK_EVERY_MS);
    },
    close: () => {
      clearInterval(timer);
      return cache.close();
    },
  };
}
