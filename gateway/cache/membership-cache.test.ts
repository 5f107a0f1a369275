import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CrowdSets } from './crowd-sets.js';
import { Generations, slotOf } from './generations.js';
import { MAX_CACHED_UID_BYTES, MembershipCache } from './membership-cache.js';
import { hashUid } from './uid-hash.js';

function makeCache(options: { entries?: number; maxSetBytes?: number; ttlMs?: number } = {}) {
  const generations = new Generations();
  const sets = new CrowdSets();
  const { entries = 64, maxSetBytes = 1_000_000, ttlMs = 1_000 } = options;
  const cache = new MembershipCache({ entries, maxSetBytes, ttlMs, generations, sets });
  const store = (uid: string, codes: string[], nowMs = 0, generation = generations.of(hashUid(uid))) => {
    const bytes = Buffer.from(`xx${uid}`);
    return cache.store(hashUid(uid), bytes, 2, bytes.length - 2, generation, codes, nowMs) !== undefined;
  };
  const find = (uid: string, nowMs = 0) => {
    const bytes = Buffer.from(uid);
    const set = cache.find(hashUid(uid), bytes, 0, bytes.length, nowMs);
    return set === undefined ? undefined : [...set.codes];
  };
  return { cache, generations, sets, store, find };
}

test('what was stored is found, the empty set too, and nothing else', () => {
  const { store, find } = makeCache();
  assert.ok(store('u1', ['a', 'b']));
  assert.ok(store('圈人😀', []));
  assert.deepEqual(find('u1'), ['a', 'b']);
  assert.deepEqual(find('圈人😀'), []);
  assert.equal(find('u2'), undefined);
  assert.equal(find('u'), undefined);
  assert.ok(store('u1', ['c']));
  assert.deepEqual(find('u1'), ['c']);
});

test('an entry is gone once its user, or everything, has changed', () => {
  const { store, find, generations } = makeCache();
  store('u1', ['a']);
  store('u2', ['b']);
  generations.moveSlot(slotOf(hashUid('u1')));
  assert.equal(find('u1'), undefined);
  assert.deepEqual(find('u2'), ['b']);
  generations.moveAll();
  assert.equal(find('u2'), undefined);
});

test('a fill that was overtaken by a change is not kept', () => {
  const { store, find, generations } = makeCache();
  const noted = generations.of(hashUid('u1'));
  generations.moveSlot(slotOf(hashUid('u1')));
  assert.equal(store('u1', ['a'], 0, noted), false);
  assert.equal(find('u1'), undefined);
});

test('entries live shorter than the ttl; uids have their bound', () => {
  const { store, find } = makeCache({ ttlMs: 100 });
  store('u1', ['a'], 1_000);
  assert.deepEqual(find('u1', 1_099), ['a']);
  assert.equal(find('u1', 1_100), undefined);
  const longest = 'x'.repeat(MAX_CACHED_UID_BYTES);
  assert.ok(store(longest, []));
  assert.deepEqual(find(longest), []);
  assert.equal(store(`${longest}x`, []), false);
  assert.equal(find(`${longest}x`), undefined);
});

test('uids of every length are told apart, whatever line they lie in', () => {
  const { cache, store, find } = makeCache({ entries: 1_500 });
  const uids = Array.from({ length: MAX_CACHED_UID_BYTES }, (_, i) => 'a1b2c3d4'.repeat(14).slice(0, i + 1));
  for (const [i, uid] of uids.entries()) assert.ok(store(uid, [`c${i}`]));
  for (const [i, uid] of uids.entries()) assert.deepEqual(find(uid), [`c${i}`], uid);
  for (const uid of uids) assert.equal(find(`${uid.slice(0, -1)}x`), undefined);
  assert.equal(cache.size, uids.length);
});

test('a set without users stays while there is room, and goes when there is none', () => {
  const sets = new CrowdSets();
  const first = sets.acquire(['a']);
  const oneSet = sets.sizeBytes;
  sets.release(first.id);
  assert.equal(sets.acquire(['a']), first);
  const second = sets.acquire(['b']);
  assert.ok(!sets.forgetUnused(oneSet), 'both are in use');
  sets.release(first.id);
  assert.ok(sets.forgetUnused(oneSet));
  assert.equal(sets.sizeBytes, oneSet);
  assert.equal(sets.get(second.id), second);
  assert.notEqual(sets.acquire(['a']), first);
});

test('the bound on entries holds, and what is asked for stays', () => {
  const { cache, store, find, sets } = makeCache({ entries: 15 });
  for (let i = 0; i < 15; i++) store(`u${i}`, [`c${i % 3}`]);
  for (let i = 15; i < 1_000; i++) {
    assert.deepEqual(find('u0'), ['c0']);
    store(`u${i}`, [`c${i % 3}`]);
  }
  assert.equal(cache.size, 15);
  assert.equal(cache.evictions, 985);
  assert.ok(sets.sizeBytes < 3_000);
});

test('the bound on sets holds when every user has another set', () => {
  const { cache, sets, store } = makeCache({ entries: 10_000, maxSetBytes: 50_000 });
  for (let i = 0; i < 5_000; i++) store(`u${i}`, [`c${i}`, `d${i}`]);
  assert.ok(sets.sizeBytes <= 50_000);
  assert.ok(cache.size > 50 && cache.size < 200);
});

test('it agrees with a map that forgets nothing', () => {
  // Every other one in a long line.
  const uid = fc.integer({ min: 0, max: 60 }).map((i) => (i % 2 === 0 ? `u${i}` : `u${i}`.padEnd(64, 'f')));
  const step = fc.oneof(
    fc.record({ kind: fc.constant('store' as const), uid, code: fc.constantFrom('', 'a', 'b', 'c') }),
    fc.record({ kind: fc.constant('find' as const), uid }),
    fc.record({ kind: fc.constant('change' as const), uid }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const { store, find, generations } = makeCache({ entries: 32 });
      const truth = new Map<string, string[]>();
      for (const each of steps) {
        if (each.kind === 'store') {
          const codes = each.code === '' ? [] : [each.code];
          truth.set(each.uid, codes);
          assert.ok(store(each.uid, codes));
          assert.deepEqual(find(each.uid), codes);
        } else if (each.kind === 'change') {
          truth.delete(each.uid);
          generations.moveSlot(slotOf(hashUid(each.uid)));
          assert.equal(find(each.uid), undefined);
        } else {
          const found = find(each.uid);
          if (found !== undefined) assert.deepEqual(found, truth.get(each.uid));
        }
      }
    }),
  );
});

test('hashes spread over buckets and slots', () => {
  const slots = new Map<number, number>();
  for (let i = 0; i < 65_536; i++) {
    const slot = slotOf(hashUid(`u${i}`)) % 1_024;
    slots.set(slot, (slots.get(slot) ?? 0) + 1);
  }
  // 64 expected in each; a Poisson count is beyond 64 ± 6 × 8 once in a thousand million.
  for (const count of slots.values()) assert.ok(count > 16 && count < 112, `${count}`);
  assert.equal(slots.size, 1_024);
});
