import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMatchWorld, NOW_MS } from '../../test/support/match-world.js';
import { hashUid } from '../cache/uid-hash.js';
import { OFFSETS } from '../metrics/worker-stats.js';
import { parseMatchQuery } from './query.js';

test('a batch says of each user what he is told alone', () => {
  const { match, batch, store } = createMatchWorld();
  const uids = ['u1', 'u2', 'u1', '圈人', 'a"b\\c', 'tab\there', 'x'.repeat(110)];
  for (const [i, uid] of uids.entries()) store(uid, [[], ['vip'], ['big', 'vip']][i % 3] ?? []);
  const alone = (uid: string) => match(`uid=${encodeURIComponent(uid)}`).now?.body;
  const matches = (uid: string) => (JSON.parse(alone(uid) ?? '') as { userCrowds: string[] }).userCrowds;
  assert.equal(batch({ uids, crowdCodes: undefined }).now?.body, `{"results":[${uids.map(alone).join()}]}`);
  const { results } = JSON.parse(batch({ uids, crowdCodes: ['vip', 'asleep', 'none'] }).now?.body ?? '') as {
    results: { matches: { isMatch: boolean; reason?: string }[] }[];
  };
  assert.deepEqual(
    results.map(({ matches: [vip, asleep, none] }) => [vip?.isMatch, asleep?.reason, none?.reason]),
    uids.map((uid) => [matches(uid).includes('vip'), 'paused_crowd', 'unknown_crowd']),
  );
});

test('with too much to do, who is cached is answered and others are refused, one by one in a batch too', () => {
  const { fastPath, createReadingFastPath, match, batch, store, load } = createMatchWorld();
  const reading = createReadingFastPath(new Map([['u2', ['vip']]]));
  store('u1', ['vip']);
  load.isTooMuch = true;
  for (const path of [fastPath, reading]) {
    assert.ok(path.answer('uid=u1', NOW_MS) instanceof Uint8Array);
    assert.equal(path.answer('uid=u2', NOW_MS), 'behind');
  }
  assert.equal(match('uid=u1').now?.status, 200);
  const { results } = JSON.parse(batch({ uids: ['u1', 'u2'], crowdCodes: undefined }).now?.body ?? '') as {
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
  const { fastPath, match, store } = createMatchWorld();
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
          assert.equal(match(query).now, undefined);
        }
        assert.ok(fast === undefined || miss === undefined);
        if (fast === undefined) return;
        answered += 1;
        assert.deepEqual(match(query).now, { status: 200, body: Buffer.from(fast).toString() });
      },
    ),
    { numRuns: 5_000 },
  );
  assert.ok(answered > 300 && missed > 100, `${answered} answered, ${missed} missed`);
});

test('a user read at once gets the bytes of the long way, now and from the cache', () => {
  const { createReadingFastPath, match, stats } = createMatchWorld();
  const hex = '0123456789abcdef'.repeat(4);
  const memberships = new Map([
    ['u1', ['vip']],
    ['u2', ['asleep', 'gone', 'vip', 'big']],
    [hex, ['big']],
  ]);
  const fastPath = createReadingFastPath(memberships);
  const uids = [...memberships.keys(), 'nobody'];
  for (const kind of ['misses', 'hits'] as const) {
    for (const uid of uids) {
      for (const rest of ['', '&crowdCode=vip', '&crowdCode=big']) {
        const fast = fastPath.answer(`uid=${uid}${rest}`, NOW_MS);
        assert.ok(fast !== undefined);
        const body = Buffer.from(fast).toString();
        assert.deepEqual(match(`uid=${uid}${rest}`).now, { status: 200, body }, kind);
      }
    }
    assert.equal(stats.values[OFFSETS.misses], uids.length);
  }
  assert.equal(fastPath.answer('uid=', NOW_MS), undefined);
  assert.equal(fastPath.answer(`uid=${'x'.repeat(111)}`, NOW_MS), undefined);
});

test('it answers what programs send, and leaves the rest', () => {
  const { fastPath, store, clock, generations, stats } = createMatchWorld();
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
