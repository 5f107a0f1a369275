/** The match service and its fast path in one process, over a cache of their own: for tests that compare their answers. */

import assert from 'node:assert/strict';
import { CrowdSets } from '../../gateway/cache/crowd-sets.js';
import { Generations } from '../../gateway/cache/generations.js';
import { MembershipCache } from '../../gateway/cache/membership-cache.js';
import { hashUid } from '../../gateway/cache/uid-hash.js';
import type { BatchRequest } from '../../gateway/match/batch-request.js';
import { CrowdCatalog } from '../../gateway/match/crowd-catalog.js';
import { FastPath } from '../../gateway/match/fast-path.js';
import { MatchService } from '../../gateway/match/match-service.js';
import { Responder } from '../../gateway/match/responder.js';
import { StreamClock } from '../../gateway/match/stream-clock.js';
import { WorkerStats } from '../../gateway/metrics/worker-stats.js';
import { ImmediateReader } from '../../gateway/read/immediate-reader.js';
import { MembershipReader } from '../../gateway/read/membership-reader.js';
import type { Exchange, ReplyBody } from '../../gateway/transport/transport.js';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import type { MembershipStore } from '../../stores/membership-store.js';

/** When the world begins; the stream has just proved that it is alive. */
export const NOW_MS = 1_800_000_000_000;

export interface MatchWorldOptions {
  /** What the store says; by default nothing, ever. */
  readonly getMany?: MembershipStore['getMany'];
  readonly maxSetBytes?: number;
  readonly isCatalogLoaded?: boolean;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** Of one request. */
export interface Answer {
  /** Undefined until it has come. */
  readonly now: Reply | undefined;
  readonly later: Promise<Reply>;
}

/** The crowds vip and big are active, asleep is paused. */
export function createMatchWorld({
  getMany = () => new Promise(() => {}),
  maxSetBytes = 100_000,
  isCatalogLoaded = true,
}: MatchWorldOptions = {}) {
  const generations = new Generations();
  const stats = new WorkerStats();
  const catalog = new CrowdCatalog();
  catalog.apply([
    ['vip', 'active'],
    ['big', 'active'],
    ['asleep', 'paused'],
  ]);
  catalog.isLoaded = isCatalogLoaded;
  const time = { nowMs: NOW_MS };
  const clock = new StreamClock(5_000);
  clock.advance(NOW_MS, NOW_MS);
  const cache = new MembershipCache({
    entries: 1_000,
    maxSetBytes,
    ttlMs: 60_000,
    generations,
    sets: new CrowdSets(),
  });
  /** `asked`: how often the shedder was. */
  const load = { isTooMuch: false, asked: 0 };
  const admits = () => {
    load.asked += 1;
    return !load.isTooMuch;
  };
  const shared = {
    onDefect: assert.ifError,
    cache,
    catalog,
    clock,
    limit: new ConcurrencyLimit(),
    shedder: { admits },
    stats,
    deadlineMs: 1_000,
    now: () => time.nowMs,
  };
  const noCount = () => {};
  const counters = {
    onBatch: noCount,
    onCoalesced: noCount,
    onRefresh: noCount,
    onFill: noCount,
    onGenerationDrop: noCount,
  };
  const reader = new MembershipReader({
    ...shared,
    generations,
    source: { getMany },
    atTurnEnd: setImmediate,
    busyMs: () => 0,
    counters,
  });
  const service = new MatchService({
    ...shared,

    reader,
    tags: { get: async () => new Map() },
  });
  const fastPath = new FastPath(shared);

  const ask = (endpoint: 'match' | 'match_batch', serve: (responder: Responder) => void): Answer => {
    let now: Reply | undefined;
    const later = new Promise<Reply>((resolve) => {
      const reply = (head: { status: number }, body: ReplyBody): void => {
        now = { status: head.status, body: Buffer.from(body).toString() };
        resolve(now);
      };
      const exchange = { reply, defer: () => ({ isOver: false, reply }) } as unknown as Exchange;
      serve(new Responder({ stats, onDefect: assert.ifError }, endpoint, exchange));
    });
    return { now, later };
  };

  return {
    ...{ clock, generations, stats, load, time, fastPath },
    /** Into the cache. */
    store: (uid: string, codes: string[]): void => {
      const bytes = Buffer.from(uid);
      const generation = generations.of(hashUid(uid));
      cache.store(hashUid(uid), bytes, 0, bytes.length, generation, codes, NOW_MS);
    },
    /** The long way. */
    match: (query: string) => ask('match', (responder) => service.match(query, responder)),
    matchMissed: (missed: NonNullable<FastPath['missed']>) =>
      ask('match', (responder) => service.matchMissed(missed, responder)),
    batch: (request: BatchRequest) => ask('match_batch', (responder) => service.batch(request, responder)),
    /** Another fast path, which reads at once what is not cached. */
    createReadingFastPath: (memberships: ReadonlyMap<string, readonly string[]>): FastPath => {
      const source = {
        getNow: (uid: string) => new Map((memberships.get(uid) ?? []).map((code) => [code, 1])),
      };
      const measured = { stopwatch: () => 0, diskWaits: () => 0 };
      return new FastPath({
        ...shared,
        reader: new ImmediateReader({ ...shared, ...measured, generations, source, counters }),
      });
    },
  };
}
