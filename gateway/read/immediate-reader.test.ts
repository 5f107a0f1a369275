import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { CrowdSets } from '../cache/crowd-sets.js';
import { Generations, slotOf } from '../cache/generations.js';
import { MembershipCache } from '../cache/membership-cache.js';
import { hashUid } from '../cache/uid-hash.js';
import { CrowdCatalog } from '../match/crowd-catalog.js';
import { ImmediateReader, PAUSE_MS, SLOW_READ_MS } from './immediate-reader.js';

function makeWorld() {
  const generations = new Generations();
  const catalog = new CrowdCatalog();
  catalog.apply([
    ['a', 'active'],
    ['p', 'paused'],
  ]);
  catalog.isLoaded = true;
  const sets = new CrowdSets();
  const cache = new MembershipCache({
    entries: 64,
    maxSetBytes: 100_000,
    ttlMs: 1_000_000,
    generations,
    sets,
  });
  const store = { codes: ['a', 'p', 'gone'], isUp: true, tookMs: 0, diskWaits: 0, reads: 0 };
  let measuredMs = 0;
  const reader = new ImmediateReader({
    source: {
      getNow: () => {
        store.reads += 1;
        measuredMs += store.tookMs;
        if (!store.isUp) throw new QuanrenError('unavailable', 'gone');
        return new Map(store.codes.map((code) => [code, 1]));
      },
    },
    cache,
    generations,
    catalog,
    counters: { onBatch: () => {}, onFill: () => {} },
    stopwatch: () => measuredMs,
    diskWaits: () => store.diskWaits,
  });
  const bytes = Buffer.from('u1');
  const hash = hashUid('u1');
  const codesOf = (set: { codes: ReadonlySet<string> } | undefined) => set && [...set.codes];
  return {
    store,
    catalog,
    generations,
    read: (nowMs = 0) => codesOf(reader.read('u1', hash, bytes, 0, 2, nowMs)),
    find: () => codesOf(cache.find(hash, bytes, 0, 2, 0)),
  };
}

test('a user is read and kept, his active crowds alone, until he changes', () => {
  const { store, generations, read, find } = makeWorld();
  assert.deepEqual(read(), ['a']);
  assert.deepEqual(find(), ['a']);
  store.codes = [];
  generations.moveSlot(slotOf(hashUid('u1')));
  assert.equal(find(), undefined);
  assert.deepEqual(read(), []);
});

test('before the catalog is loaded, and while the store fails, it leaves the answer to the long way', () => {
  const { store, catalog, read, find } = makeWorld();
  catalog.isLoaded = false;
  assert.equal(read(), undefined);
  assert.equal(store.reads, 0);
  catalog.isLoaded = true;
  store.isUp = false;
  assert.equal(read(), undefined);
  assert.equal(find(), undefined);
  store.isUp = true;
  assert.deepEqual(read(), ['a']);
});

test('after a read that waited for the disk it pauses', () => {
  const { store, read } = makeWorld();
  store.diskWaits += 1;
  store.tookMs = SLOW_READ_MS;
  assert.deepEqual(read(1_000), ['a'], 'not slow');
  assert.deepEqual(read(1_000), ['a']);
  store.tookMs = SLOW_READ_MS + 1;
  assert.deepEqual(read(1_000), ['a'], 'what was read is said');
  assert.equal(read(1_000), undefined);
  assert.equal(read(1_000 + PAUSE_MS - 1), undefined);
  assert.deepEqual(read(1_000 + PAUSE_MS), ['a'], 'slow, but not for the disk');
  assert.deepEqual(read(1_000 + PAUSE_MS), ['a']);
  assert.equal(store.reads, 5);
});
