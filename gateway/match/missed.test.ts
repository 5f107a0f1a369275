import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import { CrowdSets } from '../cache/crowd-sets.js';
import { Generations } from '../cache/generations.js';
import { MembershipCache } from '../cache/membership-cache.js';
import { WorkerStats } from '../metrics/worker-stats.js';
import { MembershipReader } from '../read/membership-reader.js';
import type { Exchange, ReplyBody } from '../transport/transport.js';
import { CrowdCatalog } from './crowd-catalog.js';
import { FastPath } from './fast-path.js';
import { MatchService } from './match-service.js';
import { Responder } from './responder.js';
import { StreamClock } from './stream-clock.js';

const NOW_MS = 1_800_000_000_000;
const STORED = new Map([
  ['u1', ['vip', 'asleep', 'big']],
  ['u2', []],
]);

/** The answer to a query by a gateway that has nothing cached. */
function ask(
  query: string,
  way: 'missed' | 'long',
  world: { readonly maxSetBytes?: number; readonly isStaleThen?: boolean; readonly isLoaded?: boolean } = {},
): Promise<{ status: number; body: string }> {
  const generations = new Generations();
  const stats = new WorkerStats();
  const catalog = new CrowdCatalog();
  catalog.apply([
    ['vip', 'active'],
    ['big', 'active'],
    ['asleep', 'paused'],
  ]);
  catalog.isLoaded = world.isLoaded ?? true;
  let nowMs = NOW_MS;
  const clock = new StreamClock(5_000);
  clock.advance(NOW_MS, NOW_MS);
  const cache = new MembershipCache({
    entries: 16,
    maxSetBytes: world.maxSetBytes ?? 10_000,
    ttlMs: 60_000,
    generations,
    sets: new CrowdSets(),
  });
  const limit = new ConcurrencyLimit();
  let asked = 0;
  const shedder = {
    admits: () => {
      asked += 1;
      return true;
    },
  };
  const shared = { cache, catalog, clock, limit, shedder, stats, deadlineMs: 1_000, now: () => nowMs };
  const noCount = () => {};
  const reader = new MembershipReader({
    ...shared,
    generations,
    source: {
      getMany: async (uids) => {
        if (world.isStaleThen === true) nowMs += 10_000;
        return uids.map((uid) => {
          const codes = STORED.get(uid);
          if (codes === undefined) throw new QuanrenError('unavailable', 'The store is gone.');
          return new Map(codes.map((code) => [code, 1]));
        });
      },
    },
    atTurnEnd: setImmediate,
    busyMs: () => 0,
    counters: {
      ...{ onBatch: noCount, onCoalesced: noCount, onRefresh: noCount },
      ...{ onFill: noCount, onGenerationDrop: noCount },
    },
  });
  const service = new MatchService({ ...shared, reader, tags: { get: async () => new Map() } });
  return new Promise((resolve) => {
    const reply = (head: { status: number }, body: ReplyBody): void =>
      resolve({ status: head.status, body: Buffer.from(body).toString() });
    const exchange = { reply, defer: () => ({ isOver: false, reply }) } as unknown as Exchange;
    const responder = new Responder(stats, 'match', exchange);
    if (way === 'long') service.match(query, responder);
    else {
      const fastPath = new FastPath(shared);
      assert.equal(fastPath.answer(query, nowMs), undefined);
      const { missed } = fastPath;
      assert.ok(missed !== undefined, query);
      service.matchMissed(missed, responder);
      assert.equal(asked, 1, 'the shedder goes by how many are asked for');
    }
  });
}

test('a user whom the fast path missed gets the bytes of the long way', async () => {
  const worlds = [{}, { maxSetBytes: 0 }, { isStaleThen: true }, { isLoaded: false }];
  for (const world of worlds) {
    for (const uid of ['u1', 'u2', 'lost']) {
      for (const rest of ['', '&crowdCode=vip', '&crowdCode=big']) {
        const query = `uid=${uid}${rest}`;
        const long = await ask(query, 'long', world);
        assert.equal(long.status, uid === 'lost' || 'isLoaded' in world ? 503 : 200);
        assert.deepEqual(await ask(query, 'missed', world), long, query);
      }
    }
  }
});
