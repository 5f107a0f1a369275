/** What every MembershipStore must do; the tests of each implementation call it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  FUTURE_BOUND_MS,
  LATENESS_BOUND_MS,
  type MembershipChange,
  type MembershipStore,
} from './membership-store.js';
import { rowKey } from './row-key.js';

/** A place for a store's data. `open` may be called again after a close, and finds what was there. */
export interface StorePlace<Store> {
  open(): Promise<Store>;
  /** Removes everything. */
  remove(): Promise<void>;
}

const NOW = Date.parse('2026-11-23T02:00:00Z');

const change = (
  kind: 'enter' | 'leave',
  uid: string,
  crowdCode: string,
  changeTimeMs = NOW,
): MembershipChange => ({ uid, crowdCode, kind, changeTimeMs });

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** The naive oracle: the newest change of each (uid, crowd) decides, and leaving wins a tie. */
function expectedMemberships(changes: readonly MembershipChange[], uid: string): Map<string, number> {
  const decisive = new Map<string, MembershipChange>();
  for (const each of changes) {
    if (each.uid !== uid) continue;
    if (each.changeTimeMs < NOW - LATENESS_BOUND_MS || each.changeTimeMs > NOW + FUTURE_BOUND_MS) continue;
    const known = decisive.get(each.crowdCode);
    const newer =
      known === undefined ||
      each.changeTimeMs > known.changeTimeMs ||
      (each.changeTimeMs === known.changeTimeMs && each.kind === 'leave');
    if (newer) decisive.set(each.crowdCode, each);
  }
  const members = [...decisive.values()].filter((each) => each.kind === 'enter');
  return new Map(members.map((each) => [each.crowdCode, each.changeTimeMs]));
}

const UIDS = ['u1', '用户二', '😀3'];
const someChange = fc.record({
  uid: fc.constantFrom(...UIDS),
  crowdCode: fc.constantFrom('a', 'b'),
  kind: fc.constantFrom('enter' as const, 'leave' as const),
  changeTimeMs: fc.constantFrom(
    NOW - LATENESS_BOUND_MS - 1,
    NOW - LATENESS_BOUND_MS,
    NOW - 2,
    NOW - 1,
    NOW,
    NOW + FUTURE_BOUND_MS,
    NOW + FUTURE_BOUND_MS + 1,
  ),
});

export function describeMembershipStoreContract(
  name: string,
  createPlace: () => Promise<StorePlace<MembershipStore>>,
): void {
  describe(`${name} keeps the contract of MembershipStore`, () => {
    let place: StorePlace<MembershipStore>;
    let store: MembershipStore;

    before(async () => {
      place = await createPlace();
      store = await place.open();
    });
    beforeEach(() => store.clear());
    after(async () => {
      await store.close();
      await place.remove();
    });

    const reopen = async () => {
      await store.close();
      store = await place.open();
    };

    it('knows nothing of a user never seen', async () => {
      assert.deepEqual(await store.get('nobody'), new Map());
      assert.deepEqual(await store.getMany(['nobody', 'no one']), [new Map(), new Map()]);
      assert.deepEqual(await store.getMany([]), []);
    });

    it('enters and leaves', async () => {
      await store.apply([change('enter', 'u1', 'a', NOW - 5), change('enter', 'u1', 'b', NOW - 4)], NOW);
      assert.deepEqual(
        await store.get('u1'),
        new Map([
          ['a', NOW - 5],
          ['b', NOW - 4],
        ]),
      );
      await store.apply([change('leave', 'u1', 'a', NOW - 3)], NOW);
      assert.deepEqual(await store.get('u1'), new Map([['b', NOW - 4]]));
    });

    it('lets no older change undo a newer one, and leaving win a tie', async () => {
      await store.apply([change('leave', 'u1', 'a', NOW - 1)], NOW);
      await store.apply([change('enter', 'u1', 'a', NOW - 2)], NOW);
      assert.deepEqual(await store.get('u1'), new Map());
      await store.apply([change('enter', 'u1', 'a', NOW - 1)], NOW);
      assert.deepEqual(await store.get('u1'), new Map());
      await store.apply([change('enter', 'u1', 'a', NOW)], NOW);
      assert.deepEqual(await store.get('u1'), new Map([['a', NOW]]));
      await store.apply([change('leave', 'u1', 'a', NOW)], NOW);
      assert.deepEqual(await store.get('u1'), new Map());
    });

    it('refuses what is too old or ahead of time, and counts it', async () => {
      const result = await store.apply(
        [
          change('enter', 'u1', 'oldest', NOW - LATENESS_BOUND_MS),
          change('enter', 'u1', 'too_old', NOW - LATENESS_BOUND_MS - 1),
          change('enter', 'u1', 'newest', NOW + FUTURE_BOUND_MS),
          change('enter', 'u1', 'future', NOW + FUTURE_BOUND_MS + 1),
          change('leave', 'u1', 'future', NOW + FUTURE_BOUND_MS + 2),
        ],
        NOW,
      );
      assert.deepEqual(result, { accepted: 2, refusedTooOld: 1, refusedFuture: 2 });
      assert.deepEqual([...(await store.get('u1')).keys()].sort(), ['newest', 'oldest']);
    });

    it('counts a change as accepted that a newer one had decided', async () => {
      await store.apply([change('leave', 'u1', 'a', NOW)], NOW);
      const result = await store.apply([change('enter', 'u1', 'a', NOW - 1)], NOW);
      assert.deepEqual(result, { accepted: 1, refusedTooOld: 0, refusedFuture: 0 });
    });

    it('remembers a departure up to the lateness bound', async () => {
      await store.apply([change('leave', 'u1', 'a')], NOW);
      const later = NOW + LATENESS_BOUND_MS;
      await store.apply([change('enter', 'u1', 'b', later)], later);
      await store.apply([change('enter', 'u1', 'a', NOW)], later);
      assert.deepEqual(await store.get('u1'), new Map([['b', later]]));
      const beyond = later + 1;
      await store.apply([change('enter', 'u1', 'b', beyond)], beyond);
      const result = await store.apply([change('enter', 'u1', 'a', NOW)], beyond);
      assert.deepEqual(result, { accepted: 0, refusedTooOld: 1, refusedFuture: 0 });
      assert.deepEqual(await store.get('u1'), new Map([['b', beyond]]));
    });

    it('keeps memberships that are older than the lateness bound', async () => {
      await store.apply([change('enter', 'u1', 'a')], NOW);
      const later = NOW + 10 * LATENESS_BOUND_MS;
      await store.apply([change('enter', 'u1', 'b', later)], later);
      assert.deepEqual(
        await store.get('u1'),
        new Map([
          ['a', NOW],
          ['b', later],
        ]),
      );
    });

    it('answers getMany in the order and with the repeats of the uids', async () => {
      await store.apply([change('enter', 'u1', 'a'), change('enter', 'u2', 'b')], NOW);
      const [a, b, none] = [new Map([['a', NOW]]), new Map([['b', NOW]]), new Map()];
      assert.deepEqual(await store.getMany(['u2', 'nobody', 'u1', 'u2', 'u2', 'u1']), [b, none, a, b, b, a]);
      const many = Array.from({ length: 3_000 }, (_, i) => (i % 2 === 0 ? 'u1' : 'u2'));
      const answers = await store.getMany(many);
      assert.equal(answers.length, many.length);
      assert.ok(answers.every((answer, i) => answer.has(i % 2 === 0 ? 'a' : 'b')));
    });

    it('takes any uid that is valid, and keeps similar ones apart', async () => {
      const uids = [
        'x'.repeat(512),
        '用'.repeat(170),
        '😀'.repeat(128),
        'é',
        'e\u0301',
        'A',
        'a',
        ' ',
        '0',
        '0_0',
      ];
      await store.apply(
        uids.map((uid, i) => change('enter', uid, `crowd_${i}`)),
        NOW,
      );
      for (const [i, uid] of uids.entries()) {
        assert.deepEqual(await store.get(uid), new Map([[`crowd_${i}`, NOW]]));
      }
    });

    it('refuses the whole call for a uid or a code that is not valid', async () => {
      for (const uid of ['', 'x'.repeat(513), 'a\0b', '\ud83d']) {
        await assert.rejects(store.get(uid), { code: 'invalid_uid' });
        await assert.rejects(store.getMany(['u1', uid]), { code: 'invalid_uid' });
        await assert.rejects(store.apply([change('enter', 'u1', 'a'), change('enter', uid, 'a')], NOW), {
          code: 'invalid_uid',
        });
      }
      for (const bad of [
        change('enter', 'u1', ''),
        change('enter', 'u1', 'A'),
        change('enter', 'u1', 'a'.repeat(51)),
        change('enter', 'u1', 'a', 0.5),
      ]) {
        await assert.rejects(store.apply([change('enter', 'u1', 'a'), bad], NOW), { code: 'bad_request' });
      }
      assert.deepEqual(await store.get('u1'), new Map());
    });

    it('scans a crowd in row-key order, without those who left', async () => {
      const uids = Array.from({ length: 2_500 }, (_, i) => `user${i}`).concat('用户', '😀', '\uffff');
      await store.apply(
        uids.flatMap((uid, i) => [change('enter', uid, 'a', NOW - i), change('enter', uid, 'b')]),
        NOW,
      );
      await store.apply([change('leave', 'user7', 'a')], NOW);
      const expected = uids
        .map((uid, i) => ({ uid, changeTimeMs: NOW - i }))
        .filter(({ uid }) => uid !== 'user7')
        .sort((x, y) => Buffer.compare(Buffer.from(rowKey(x.uid)), Buffer.from(rowKey(y.uid))));
      assert.deepEqual(await collect(store.scanCrowd('a')), expected);
      assert.deepEqual(await collect(store.scanCrowd('unknown')), []);
    });

    it('scans what was there at the start, once each, while others write', async () => {
      const uids = Array.from({ length: 4_000 }, (_, i) => `user${i}`);
      await store.apply(
        uids.map((uid) => change('enter', uid, 'a')),
        NOW,
      );
      const seen: string[] = [];
      let round = 0;
      for await (const { uid } of store.scanCrowd('a')) {
        seen.push(uid);
        if (seen.length % 500 !== 0) continue;
        round += 1;
        await store.apply([change('enter', `new${round}`, 'a'), change('leave', 'nobody', 'a')], NOW);
      }
      assert.equal(new Set(seen).size, seen.length);
      const missed = new Set(uids);
      for (const uid of seen) missed.delete(uid);
      assert.deepEqual([...missed], []);
    });

    it('may be left in the middle of a scan', async () => {
      await store.apply([change('enter', 'u1', 'a'), change('enter', 'u2', 'a')], NOW);
      for await (const { uid } of store.scanCrowd('a')) {
        assert.ok(uid.startsWith('u'));
        break;
      }
      assert.equal((await collect(store.scanCrowd('a'))).length, 2);
    });

    it('forgets everything when cleared, departures too', async () => {
      await store.apply([change('enter', 'u1', 'a'), change('leave', 'u1', 'b')], NOW);
      await store.clear();
      assert.deepEqual(await store.get('u1'), new Map());
      await store.apply([change('enter', 'u1', 'b', NOW - 1)], NOW);
      assert.deepEqual(await store.get('u1'), new Map([['b', NOW - 1]]));
    });

    it('keeps memberships and departures over a restart', async () => {
      await store.apply([change('enter', 'u1', 'a'), change('leave', 'u1', 'b')], NOW);
      await reopen();
      await store.apply([change('enter', 'u1', 'b', NOW - 1)], NOW);
      assert.deepEqual(await store.get('u1'), new Map([['a', NOW]]));
    });

    it('rejects with unavailable once the deadline has passed', async () => {
      await assert.rejects(store.get('u1', { deadlineMs: 0 }), { code: 'unavailable' });
      await assert.rejects(store.getMany(['u1'], { deadlineMs: 0 }), { code: 'unavailable' });
      assert.deepEqual(await store.get('u1', { deadlineMs: 10_000 }), new Map());
    });

    it('reads what was acknowledged before', async () => {
      for (let i = 0; i < 50; i += 1) {
        const before = await store.get('u1');
        await store.apply([change('enter', 'u1', 'a', NOW - 100 + i)], NOW);
        assert.equal(before.get('a'), i === 0 ? undefined : NOW - 101 + i);
        assert.equal((await store.get('u1')).get('a'), NOW - 100 + i);
      }
    });

    it('ends in the same state for any order, any batches and any repetition of changes', async () => {
      const scenario = fc.record({
        changes: fc.array(someChange, { minLength: 1, maxLength: 25 }),
        // Where each copy of a change goes: a change given twice is repeated.
        deliveries: fc.array(fc.nat(), { maxLength: 25 }),
        batchSize: fc.integer({ min: 1, max: 10 }),
        restartAfter: fc.option(fc.nat(5), { freq: 10 }),
      });
      await fc.assert(
        fc.asyncProperty(scenario, async ({ changes, deliveries, batchSize, restartAfter }) => {
          await store.clear();
          const delivered = [...changes];
          for (const [i, position] of deliveries.entries()) {
            const repeated = changes[i % changes.length];
            if (repeated !== undefined) delivered.splice(position % (delivered.length + 1), 0, repeated);
          }
          for (let start = 0; start < delivered.length; start += batchSize) {
            await store.apply(delivered.slice(start, start + batchSize), NOW);
            if (start / batchSize === restartAfter) await reopen();
          }
          for (const uid of UIDS) {
            assert.deepEqual(
              new Map([...(await store.get(uid))].sort()),
              new Map([...expectedMemberships(changes, uid)].sort()),
            );
          }
        }),
        { numRuns: 150 },
      );
    });

    it('rejects with unavailable after it was closed', async () => {
      await store.close();
      await store.close();
      await assert.rejects(store.get('u1'), { code: 'unavailable' });
      await assert.rejects(store.apply([change('enter', 'u1', 'a')], NOW), { code: 'unavailable' });
      store = await place.open();
    });
  });
}
