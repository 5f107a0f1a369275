import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import type { RealtimeTags } from '../../stores/realtime-tag-store.js';
import { CrowdSets } from '../cache/crowd-sets.js';
import { Generations } from '../cache/generations.js';
import { MembershipCache } from '../cache/membership-cache.js';
import { WorkerStats } from '../metrics/worker-stats.js';
import { MembershipReader } from '../read/membership-reader.js';
import type { Exchange, ReplyBody, ReplyHead } from '../transport/transport.js';
import { CrowdCatalog } from './crowd-catalog.js';
import { MatchService } from './match-service.js';
import { Responder } from './responder.js';
import { StreamClock } from './stream-clock.js';

const NOW_MS = 1_800_000_000_000;
const STALE_AFTER_MS = 5_000;

/** `GET /tags?uid=u1` over a store that does what `get` does. */
function askForTags(world: {
  readonly get?: () => Promise<RealtimeTags>;
  readonly isLoaded?: boolean;
  readonly lastHeartbeatMs?: number;
}): Promise<{ head: ReplyHead; json: Record<string, unknown>; reading: number; defects: unknown[] }> {
  const defects: unknown[] = [];
  const generations = new Generations();
  const stats = new WorkerStats();
  const catalog = new CrowdCatalog();
  catalog.isLoaded = world.isLoaded ?? true;
  const clock = new StreamClock(STALE_AFTER_MS);
  clock.advance(world.lastHeartbeatMs ?? NOW_MS, NOW_MS);
  const limit = new ConcurrencyLimit();
  const cache = new MembershipCache({
    entries: 16,
    maxSetBytes: 1_000,
    ttlMs: 1_000,
    generations,
    sets: new CrowdSets(),
  });
  const shedder = { admits: () => true };
  const shared = {
    onDefect: (error: unknown) => defects.push(error),
    cache,
    catalog,
    clock,
    limit,
    shedder,
    stats,
    deadlineMs: 1_000,
    now: () => NOW_MS,
  };
  const reader = new MembershipReader({
    ...shared,
    generations,
    source: { getMany: () => Promise.reject(new Error('nobody asks for memberships')) },
    atTurnEnd: setImmediate,
    busyMs: () => 0,
    counters: {
      onBatch: () => {},
      onCoalesced: () => {},
      onRefresh: () => {},
      onFill: () => {},
      onGenerationDrop: () => {},
    },
  });
  const get = world.get ?? (async () => new Map([['rt_active_status', 'online']]));
  const service = new MatchService({ ...shared, reader, tags: { get } });
  return new Promise((resolve) => {
    const reply = (head: ReplyHead, body: ReplyBody): void =>
      resolve({ head, json: JSON.parse(Buffer.from(body).toString()), reading: limit.inFlight, defects });
    const exchange = { reply, defer: () => ({ isOver: false, reply }) } as unknown as Exchange;
    service.tags('uid=u1', new Responder({ stats, onDefect: assert.ifError }, 'tags', exchange));
  });
}

const answer = { uid: 'u1', tags: { rt_active_status: 'online' } };

test('tags are fresh while the stream lives, then stale since its last sign of life', async () => {
  assert.deepEqual((await askForTags({})).json, { ...answer, status: 'fresh' });
  const silent = await askForTags({ lastHeartbeatMs: NOW_MS - STALE_AFTER_MS });
  assert.equal(silent.json.status, 'fresh');
  const stale = await askForTags({ lastHeartbeatMs: NOW_MS - STALE_AFTER_MS - 1 });
  assert.deepEqual(stale.json, {
    ...answer,
    status: 'stale',
    asOf: new Date(NOW_MS - STALE_AFTER_MS - 1).toISOString(),
  });
});

test('tags that cannot be established are 503, and give their place back', async () => {
  const lost = () => Promise.reject(new QuanrenError('unavailable', 'The store is gone.'));
  const broken = () => Promise.reject(new Error('a secret of the store'));
  for (const world of [{ get: lost }, { get: broken }, { isLoaded: false }]) {
    const { head, json, reading, defects } = await askForTags(world);
    assert.equal(head.status, 503);
    assert.equal(new Map(head.headers).get('retry-after'), '1');
    assert.equal(json.code, 'unavailable');
    assert.doesNotMatch(String(json.detail), /secret/);
    assert.equal(reading, 0);
    assert.equal(defects.length, world.get === broken ? 1 : 0);
  }
});
