import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { CrowdCatalog } from '../match/crowd-catalog.js';
import { StreamClock } from '../match/stream-clock.js';
import { CrowdSets } from './crowd-sets.js';
import { Generations, slotOf } from './generations.js';
import { MembershipCache } from './membership-cache.js';
import { createSnapshotFile, decodeSnapshot, encodeSnapshot, type Snapshot } from './snapshot.js';
import { SnapshotKeeper } from './snapshot-keeper.js';
import { hashUid } from './uid-hash.js';

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-snapshot-'));
after(() => rmSync(folder, { recursive: true }));

const plain = ({ entries, ...rest }: Snapshot) => ({
  ...rest,
  entries: entries.map((entry) => ({ ...entry, uid: Buffer.from(entry.uid).toString('hex') })),
});

test('whatever was saved is read again', () => {
  const code = fc.stringMatching(/^[a-z][a-z0-9_]{0,9}$/);
  const entry = fc.record({
    uid: fc.uint8Array({ minLength: 1, maxLength: 110 }),
    codes: fc.array(code, { maxLength: 3 }),
    filledAtMs: fc.integer({ min: 0, max: 2 ** 45 }),
  });
  const position = fc.record(
    { partition: fc.nat(), offset: fc.maxSafeNat(), timestampMs: fc.nat() },
    { noNullPrototype: true },
  );
  const status = fc.constantFrom('active' as const, 'paused' as const);
  const snapshots = fc.record({
    asOfMs: fc.integer({ min: 0, max: 2 ** 45 }),
    applied: fc.array(position, { maxLength: 4 }),
    crowds: fc.array(fc.tuple(code, status)),
    entries: fc.array(entry, { maxLength: 50 }),
  });
  fc.assert(
    fc.property(snapshots, (snapshot) => {
      const decoded = decodeSnapshot(encodeSnapshot(snapshot));
      assert.deepEqual(decoded && plain(decoded), plain(snapshot));
    }),
  );
});

test('a file that is damaged, cut, foreign or missing is none', () => {
  const bytes = encodeSnapshot({
    asOfMs: 1_000,
    applied: [{ partition: 0, offset: 3, timestampMs: 900 }],
    crowds: [['a', 'active']],
    entries: [{ uid: Buffer.from('u1'), codes: ['a'], filledAtMs: 900 }],
  });
  for (let i = 0; i < bytes.length; i++) {
    assert.equal(decodeSnapshot(bytes.subarray(0, i)), undefined, `${i} bytes`);
    const changed = Buffer.from(bytes);
    changed[i] = (changed[i] as number) ^ 1;
    assert.equal(decodeSnapshot(changed), undefined, `byte ${i}`);
  }
  fc.assert(fc.property(fc.uint8Array(), (noise) => decodeSnapshot(Buffer.from(noise)) === undefined));
  assert.equal(createSnapshotFile(path.join(folder, 'missing')).read(), undefined);
  assert.equal(createSnapshotFile(folder).read(), undefined);
});

const TTL_MS = 10_000;

function makeWorker(file: string, nowMs: number, entries = 1_000) {
  const world = { nowMs };
  const generations = new Generations();
  const catalog = new CrowdCatalog();
  const clock = new StreamClock(5_000);
  const cache = new MembershipCache({
    entries,
    maxSetBytes: 1_000_000,
    ttlMs: TTL_MS,
    generations,
    sets: new CrowdSets(),
  });
  const shared = { cache, generations, catalog, clock, cacheTtlMs: TTL_MS, now: () => world.nowMs };
  const keeper = new SnapshotKeeper({ ...shared, storage: createSnapshotFile(file) });
  const put = (uid: string, codes: string[]) => {
    const bytes = Buffer.from(uid);
    const hash = hashUid(uid);
    cache.store(hash, bytes, 0, bytes.length, generations.of(hash), codes, world.nowMs);
  };
  const find = (uid: string) => {
    const bytes = Buffer.from(uid);
    const set = cache.find(hashUid(uid), bytes, 0, bytes.length, world.nowMs);
    return set && [...set.codes];
  };
  return { world, generations, catalog, clock, cache, keeper, put, find };
}

test('a worker begins with what the last one knew, as old as it is', async () => {
  const file = path.join(folder, 'worker');
  const first = makeWorker(file, 100_000);
  first.put('u1', ['a']);
  assert.equal(await first.keeper.save(), 0, 'nothing is known of the stream');
  first.catalog.load([
    ['a', 'active'],
    ['b', 'paused'],
  ]);
  const applied = [{ partition: 1, offset: 7, timestampMs: 100_400 }];
  first.clock.advance(100_500, 101_000, applied);
  const long = 'f'.repeat(110);
  first.world.nowMs = 101_000;
  first.put(long, []);
  first.put('changed', ['a']);
  first.generations.moveSlot(slotOf(hashUid('changed')));
  first.put('u2', ['a', 'b']);
  assert.equal(await first.keeper.save(), 3);

  const second = makeWorker(file, 109_999);
  assert.equal(second.keeper.load(), 3);
  assert.deepEqual(second.find('u1'), ['a']);
  assert.deepEqual(second.find('u2'), ['a', 'b']);
  assert.deepEqual(second.find(long), []);
  assert.equal(second.find('changed'), undefined);
  assert.deepEqual(second.catalog.all(), [
    ['a', 'active'],
    ['b', 'paused'],
  ]);
  assert.equal(second.clock.freshness(109_999), 100_500, 'stale since then');
  assert.deepEqual(second.clock.applied, applied);
  second.world.nowMs = 110_000;
  assert.equal(second.find('u1'), undefined, 'no longer than it would have lived');
  assert.deepEqual(second.find('u2'), ['a', 'b']);

  assert.equal(makeWorker(file, 100_500).keeper.load(), 1, 'nothing that was filled in the future');
  assert.equal(makeWorker(file, 111_000).keeper.load(), 0);
});

test('those that were asked for come first; a catalog that changes meanwhile makes it void', async () => {
  const file = path.join(folder, 'hot');
  const worker = makeWorker(file, 100_000, 150_000);
  worker.catalog.load([['a', 'active']]);
  worker.clock.advance(100_000, 100_000);
  for (let i = 0; i < 140_000; i++) worker.put(`u${i}`, ['a']);
  for (let i = 0; i < 140_000; i += 10) worker.find(`u${i}`);
  assert.equal(await worker.keeper.save(), 100_000);
  assert.ok(statSync(file).size < 5_000_000);
  const saved = new Set(
    createSnapshotFile(file)
      .read()
      ?.entries.map(({ uid }) => Buffer.from(uid).toString()),
  );
  for (let i = 0; i < 140_000; i += 10) if (worker.find(`u${i}`) !== undefined) assert.ok(saved.has(`u${i}`));
  writeFileSync(file, '');
  const saving = worker.keeper.save();
  worker.catalog.apply([['a', 'paused']]);
  assert.equal(await saving, 0);
  assert.equal(statSync(file).size, 0);
});
