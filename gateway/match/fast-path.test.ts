import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import { CrowdSets } from '../cache/crowd-sets.js';
import { Generations } from '../cache/generations.js';
import { MembershipCache } from '../cache/membership-cache.js';
import { hashUid } from '../cache/uid-hash.js';
import { OFFSETS, WorkerStats } from '../metrics/worker-stats.js';
import { ImmediateReader } from '../read/immediate-reader.js';
import { MembershipReader } from '../read/membership-reader.js';
import type { Exchange, ReplyBody } from '../transport/transport.js';
import type { BatchRequest } from './batch-request.js';
import { CrowdCatalog } from './crowd-catalog.js';
import { FastPath } from './fast-path.js';
import { MatchService } from './match-service.js';
import { parseMatchQuery } from './query.js';
import { Responder } from './responder.js';
import { StreamClock } from './stream-clock.js';

const NOW_MS = 1_800_000_000_000;

function makeWorld() {
  const generations = new Generations();
  const stats = new WorkerStats();
  const catalog = new CrowdCatalog();
  catalog.apply([
    ['vip', 'active'],
    ['big', 'active'],
    ['asleep', 'paused'],
  ]);
  catalog.isLoaded = true;
  const clock = new StreamClock(5_000);
  clock.advance(NOW_MS, NOW_MS);
  const cache = new MembershipCache({
    entries: 1_000,
    maxSetBytes: 100_000,
    ttlMs: 60_000,
    generations,
    sets: new CrowdSets(),
  });
  const load = { isTooMuch: false };
  const shared = {
    cache,
    catalog,
    clock,
    limit: new ConcurrencyLimit(),
    shedder: { admits: () => !load.isTooMuch },
    stats,
    deadlineMs: 1_000,
    now: () => NOW_MS,
  };
  const noCount = () => {};
  const reader = new MembershipReader({
    ...shared,
    generations,
    source: { getMany: () => new Promise(() => {}) },
    atTurnEnd: setImmediate,
    busyMs: () => 0,
    counters: {
      onBatch: noCount,
      onCoalesced: noCount,
      onRefresh: noCount,
      onFill: noCount,
      onGenerationDrop: noCount,
    },
  });
  const service = new MatchService({ ...shared, reader, tags: { get: async () => new Map() } });
  const store = (uid: string, codes: string[]) => {
    const bytes = Buffer.from(uid);
    cache.store(hashUid(uid), bytes, 0, bytes.length, generations.of(hashUid(uid)), codes, NOW_MS);
  };
  /** The long way's answer; undefined where it would read the store. */
  const slowly = (query: string): { status: number; body: string } | undefined => {
    let answer: { status: number; body: string } | undefined;
    const exchange = {
      reply: (head: { status: number }, body: ReplyBody) => {
        answer = { status: head.status, body: Buffer.from(body).toString() };
      },
      defer: () => ({ isOver: false, reply: () => {} }),
    } as unknown as Exchange;
    service.match(query, new Responder(stats, 'match', exchange));
    return answer;
  };
  const batch = (request: BatchRequest): string => {
    let text = '';
    const reply = (_: unknown, body: ReplyBody): void => {
      text = Buffer.from(body).toString();
    };
    const exchange = { reply, defer: () => ({ isOver: false, reply }) } as unknown as Exchange;
    service.batch(request, new Responder(stats, 'match_batch', exchange));
    return text;
  };
  /** Reads at once what is not cached. */
  const readingFastPath = (memberships: ReadonlyMap<string, readonly string[]>): FastPath => {
    const source = {
      getNow: (uid: string) => new Map((memberships.get(uid) ?? []).map((code) => [code, 1])),
    };
    const counters = { onBatch: noCount, onFill: noCount };
    const measured = { stopwatch: () => 0, diskWaits: () => 0 };
    return new FastPath({
      ...shared,
      reader: new ImmediateReader({ ...shared, ...measured, generations, source, counters }),
    });
  };
  const fastPath = new FastPath(shared);
  return { fastPath, readingFastPath, slowly, batch, store, clock, generations, stats, load };
}

test('a batch says of each user what he is told alone', () => {
  const { slowly, batch, store } = makeWorld();
  const uids = ['u1', 'u2', 'u1', '圈人', 'a"b\\c', 'tab\there', 'x'.repeat(110)];
  for (const [i, uid] of uids.entries()) store(uid, [[], ['vip'], ['big', 'vip']][i % 3] ?? []);
  const alone = (uid: string) => slowly(`uid=${encodeURIComponent(uid)}`)?.body;
  const matches = (uid: string) => (JSON.parse(alone(uid) ?? '') as { userCrowds: string[] }).userCrowds;
  assert.equal(batch({ uids, crowdCodes: undefined }), `{"results":[${uids.map(alone).join()}]}`);
  const { results } = JSON.parse(batch({ uids, crowdCodes: ['vip', 'asleep', 'none'] })) as {
    results: { matches: { isMatch: boolean; reason?: string }[] }[];
  };
  assert.deepEqual(
    results.map(({ matches: [vip, asleep, none] }) => [vip?.isMatch, asleep?.reason, none?.reason]),
    uids.map((uid) => [matches(uid).includes('vip'), 'paused_crowd', 'unknown_crowd']),
  );
});

test('with too much to do, who is cached is answered and others are refused, one by one in a batch too', () => {
  const { fastPath, readingFastPath, slowly, batch, store, load } = makeWorld();
  const reading = readingFastPath(new Map([['u2', ['vip']]]));
  store('u1', ['vip']);
  load.isTooMuch = true;
  for (const path of [fastPath, reading]) {
    assert.ok(path.answer('uid=u1', NOW_MS) instanceof Uint8Array);
    assert.equal(path.answer('uid=u2', NOW_MS), 'behind');
  }
  assert.equal(slowly('uid=u1')?.status, 200);
  const { results } = JSON.parse(batch({ uids: ['u1', 'u2'], crowdCodes: undefined })) as {
    results: { status: string; error?: { code: string } }[];
  };
  assert.deepEqual(
    results.map(({ status, error }) => error?.code ?? status),
    ['fresh', 'overloaded'],
  );
  load.isTooMuch = false;
  assert.equal(fastPath.answer('uid=u2', NOW_MS), undefined);
  assert.ok(reading.answer('uid=u2', NOW_MS) instanceof Uint8Array);
});

test('where the fast path answers, it gives the bytes of the long way; what it missed it understood as that does', () => {
  const { fastPath, slowly, store } = makeWorld();
  const uids = ['u1', 'u2', 'a=b', "it's|(ok)", 'a/b:c@d', 'x'.repeat(46), 'y'.repeat(64)];
  for (const [i, uid] of uids.entries()) store(uid, [[], ['vip'], ['big', 'vip']][i % 3] ?? []);
  let answered = 0;
  let missed = 0;
  const uid = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...uids) },
    fc.constantFrom('unknown', 'a%20b', 'a+b', '圈', 'x'.repeat(47), 'x'.repeat(111), ''),
    fc.string(),
  );
  const rest = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom('', '&crowdCode=vip', '&crowdCode=big') },
    fc.constantFrom('&crowdCode=asleep', '&crowdCode=none', '&crowdCode='),
    fc.constantFrom(
      '&crowdCode=vip&uid=u2',
      '&crowdCode=vip&x=1',
      '&x=1',
      '&',
      '&crowdCode=v%69p',
      '&CrowdCode=vip',
    ),
    fc.string(),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('uid=', 'uid=', 'uid=', 'uid=', 'UID=', '%75id=', ''),
      uid,
      rest,
      (name, value, tail) => {
        const query = name + value + tail;
        const fast = fastPath.answer(query, NOW_MS);
        const miss = fastPath.missed;
        if (miss !== undefined) {
          missed += 1;
          const { uid, hash, crowdCode } = miss;
          assert.deepEqual({ uid, crowdCode }, parseMatchQuery(query));
          assert.equal(hash, hashUid(uid));
          assert.equal(slowly(query), undefined);
        }
        assert.ok(fast === undefined || miss === undefined);
        if (fast === undefined) return;
        answered += 1;
        assert.deepEqual(slowly(query), { status: 200, body: Buffer.from(fast).toString() });
      },
    ),
    { numRuns: 5_000 },
  );
  assert.ok(answered > 300 && missed > 100, `${answered} answered, ${missed} missed`);
});

test('a user read at once gets the bytes of the long way, now and from the cache', () => {
  const { readingFastPath, slowly, stats } = makeWorld();
  const hex = '0123456789abcdef'.repeat(4);
  const memberships = new Map([
    ['u1', ['vip']],
    ['u2', ['asleep', 'gone', 'vip', 'big']],
    [hex, ['big']],
  ]);
  const fastPath = readingFastPath(memberships);
  const uids = [...memberships.keys(), 'nobody'];
  for (const kind of ['misses', 'hits'] as const) {
    for (const uid of uids) {
      for (const rest of ['', '&crowdCode=vip', '&crowdCode=big']) {
        const fast = fastPath.answer(`uid=${uid}${rest}`, NOW_MS);
        assert.ok(fast !== undefined);
        const body = Buffer.from(fast).toString();
        assert.deepEqual(slowly(`uid=${uid}${rest}`), { status: 200, body }, kind);
      }
    }
    assert.equal(stats.values[OFFSETS.misses], uids.length);
  }
  assert.equal(fastPath.answer('uid=', NOW_MS), undefined);
  assert.equal(fastPath.answer(`uid=${'x'.repeat(111)}`, NOW_MS), undefined);
});

test('it answers what programs send, and leaves the rest', () => {
  const { fastPath, store, clock, generations, stats } = makeWorld();
  store('u1', ['big', 'vip']);
  store('u2', []);
  const answer = (query: string, atMs = NOW_MS) => {
    const bytes = fastPath.answer(query, atMs);
    return bytes === undefined ? undefined : Buffer.from(bytes).toString();
  };
  assert.equal(answer('uid=u1'), '{"uid":"u1","userCrowds":["big","vip"],"status":"fresh"}');
  assert.equal(stats.values[OFFSETS.negativeHits], 0);
  assert.equal(answer('uid=u2'), '{"uid":"u2","userCrowds":[],"status":"fresh"}');
  assert.equal(stats.values[OFFSETS.negativeHits], 1);
  assert.equal(
    answer('uid=u1&crowdCode=vip'),
    '{"uid":"u1","crowdCode":"vip","isMatch":true,"status":"fresh"}',
  );
  assert.equal(
    answer('uid=u2&crowdCode=vip'),
    '{"uid":"u2","crowdCode":"vip","isMatch":false,"reason":"not_member","status":"fresh"}',
  );
  for (const query of ['uid=u3', 'uid=', 'uid=u%31', 'crowdCode=vip&uid=u1', 'uid=u1&crowdCode=asleep', ''])
    assert.equal(answer(query), undefined, query);
  assert.equal(answer('uid=u1', NOW_MS + 5_001), undefined, 'stale');
  clock.advance(NOW_MS + 60_000, NOW_MS + 60_000);
  assert.equal(answer('uid=u1', NOW_MS + 60_000), undefined, 'older than the ttl');
  generations.moveAll();
  assert.equal(answer('uid=u1'), undefined, 'changed');
});
