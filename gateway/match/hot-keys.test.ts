/** What keeps users who are asked for all the time cheap, and those who do not exist bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import type { Memberships } from '../../stores/membership-store.js';
import { Random } from '../../test/differential/random.js';
import { CrowdSets } from '../cache/crowd-sets.js';
import { Generations } from '../cache/generations.js';
import { MembershipCache } from '../cache/membership-cache.js';
import { WorkerStats } from '../metrics/worker-stats.js';
import { MembershipReader } from '../read/membership-reader.js';
import { CrowdCatalog } from './crowd-catalog.js';
import { MatchService } from './match-service.js';
import type { Responder } from './responder.js';
import { StreamClock } from './stream-clock.js';

const TTL_MS = 10_000;

function makeWorld(entries = 64) {
  const world = { nowMs: 1_000_000, reads: [] as string[], isUp: true, answersAtOnce: true };
  const waiting: (() => void)[] = [];
  const random = new Random(7);
  const generations = new Generations();
  const catalog = new CrowdCatalog();
  catalog.load([['a', 'active']]);
  const clock = new StreamClock(1_000_000);
  clock.advance(world.nowMs, world.nowMs);
  const now = () => world.nowMs;
  const stats = new WorkerStats();
  let refreshes = 0;
  const cache = new MembershipCache({
    entries,
    maxSetBytes: 100_000,
    ttlMs: TTL_MS,
    generations,
    sets: new CrowdSets(),
    random: () => random.next() / 2 ** 32,
    onAging: (hash, uid) => reader.refresh(hash, uid),
  });
  const limit = new ConcurrencyLimit();
  const shedder = { admits: () => true };
  const shared = {
    onDefect: assert.ifError,
    cache,
    catalog,
    clock,
    limit,
    shedder,
    generations,
    stats,
    deadlineMs: 1_000,
    now,
  };
  const reader = new MembershipReader({
    ...shared,
    source: {
      getMany: async (uids): Promise<Memberships[]> => {
        world.reads.push(...uids);
        if (!world.answersAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
        if (!world.isUp) throw new QuanrenError('unavailable', 'The store is gone.');
        return uids.map((uid): Memberships => new Map(uid.startsWith('u') ? [['a', 1]] : []));
      },
    },
    atTurnEnd: setImmediate,
    busyMs: () => 0,
    counters: {
      ...{ onBatch: () => {}, onCoalesced: () => {}, onFill: () => {}, onGenerationDrop: () => {} },
      onRefresh: () => {
        refreshes += 1;
      },
    },
  });
  const tags = { get: () => Promise.reject(new Error('nobody asks for tags')) };
  const service = new MatchService({ ...shared, reader, tags });
  const answers: (string | number)[] = [];
  /** Whether it was answered at once. */
  const ask = (uid: string): boolean => {
    const before = answers.length;
    const responder: Pick<Responder, 'ok' | 'fail' | 'defer'> = {
      defer: () => {},
      ok: (body) => answers.push(String(body)),
      fail: (error) => answers.push(error instanceof QuanrenError ? error.code : 'bug'),
    };
    service.match(`uid=${uid}`, responder as Responder);
    return answers.length > before;
  };
  const settle = async () => {
    for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const release = () => {
    for (const resolve of waiting.splice(0)) resolve();
  };
  return { world, cache, limit, answers, ask, settle, release, refreshCount: () => refreshes };
}

const FRESH = JSON.stringify({ uid: 'u1', userCrowds: ['a'], status: 'fresh' });

test('ten thousand requests for a user whose entry has ended make one read', async () => {
  const { world, answers, ask, settle, release, limit } = makeWorld();
  ask('u1');
  await settle();
  world.nowMs += TTL_MS;
  world.answersAtOnce = false;
  world.reads = [];
  answers.length = 0;
  for (let i = 0; i < 10_000; i++) {
    ask('u1');
    if (i % 1_000 === 0) await settle();
  }
  assert.deepEqual(world.reads, ['u1']);
  assert.equal(answers.length, 0);
  release();
  await settle();
  assert.equal(answers.length, 10_000);
  assert.ok(answers.every((answer) => answer === FRESH));
  assert.deepEqual(world.reads, ['u1']);
  assert.equal(limit.inFlight, 0);
});

test('a user who is asked for all the time is read anew before his entry ends, and never missed', async () => {
  const { world, answers, ask, settle, refreshCount } = makeWorld();
  ask('u1');
  await settle();
  world.reads = [];
  const startMs = world.nowMs;
  for (let ms = 1; ms <= 5 * TTL_MS; ms++) {
    world.nowMs = startMs + ms;
    assert.ok(ask('u1'), `a miss after ${ms} ms`);
    if (ms % 100 === 0) await settle();
  }
  assert.ok(answers.every((answer) => answer === FRESH));
  // Youth is four fifths of an entry's time, so that five times hold at most six of them.
  assert.ok(world.reads.length >= 5 && world.reads.length <= 7, `${world.reads.length} reads`);
  assert.equal(refreshCount(), world.reads.length);
});

test('who is hardly asked for is not read anew; reads under way are not repeated', async () => {
  const { world, ask, settle, release, refreshCount } = makeWorld();
  ask('u1');
  await settle();
  world.nowMs += TTL_MS * 0.8 - 1;
  for (let i = 0; i < 10_000; i++) ask('u1');
  assert.equal(refreshCount(), 0);
  world.answersAtOnce = false;
  world.nowMs += TTL_MS * 0.2;
  for (let i = 0; i < 10_000; i++) ask('u1');
  await settle();
  assert.equal(refreshCount(), 1);
  release();
});

test('while the store is away an entry serves to its end, and not beyond', async () => {
  const { world, answers, ask, settle } = makeWorld();
  ask('u1');
  await settle();
  world.isUp = false;
  world.nowMs += TTL_MS - 1;
  for (let i = 0; i < 100; i++) {
    assert.ok(ask('u1'));
    await settle();
  }
  assert.ok(world.reads.length > 50);
  assert.ok(answers.every((answer) => answer === FRESH));
  world.nowMs += 1;
  ask('u1');
  await settle();
  assert.equal(answers.at(-1), 'unavailable');
});

test('users who do not exist are entries as others are: asked of the store once, and bounded', async () => {
  const { world, cache, ask, settle } = makeWorld(30);
  for (let i = 0; i < 2_000; i++) {
    ask(`nobody${i}`);
    await settle();
    assert.ok(ask(`nobody${i}`), 'known from then on');
    assert.ok(cache.size <= 30);
  }
  assert.equal(world.reads.length, 2_000);
});
