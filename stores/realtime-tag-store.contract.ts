/** What every RealtimeTagStore must do; the tests of each implementation call it. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import type { StorePlace } from './membership-store.contract.js';
import { FUTURE_BOUND_MS, LATENESS_BOUND_MS } from './membership-store.js';
import { MAX_TAG_VALUE_BYTES, type RealtimeTagChange, type RealtimeTagStore } from './realtime-tag-store.js';

const NOW = Date.parse('2026-11-23T02:00:00Z');

const change = (
  uid: string,
  tagCode: string,
  value: string | null,
  changeTimeMs = NOW,
): RealtimeTagChange => ({ uid, tagCode, value, changeTimeMs });

const codePoints = (text: string) => [...text].map((character) => character.codePointAt(0) ?? 0);

function isGreater(a: string, b: string): boolean {
  const [as, bs] = [codePoints(a), codePoints(b)];
  const at = as.findIndex((point, i) => point !== bs[i]);
  return at !== -1 && (as[at] ?? -1) > (bs[at] ?? -1);
}

/** The naive oracle: the newest decides; at a tie removal wins, then the greater value by code point. */
function expectedTags(changes: readonly RealtimeTagChange[], uid: string): Map<string, string> {
  const decisive = new Map<string, RealtimeTagChange>();
  for (const each of changes) {
    if (each.uid !== uid) continue;
    if (each.changeTimeMs < NOW - LATENESS_BOUND_MS || each.changeTimeMs > NOW + FUTURE_BOUND_MS) continue;
    const known = decisive.get(each.tagCode);
    const wins =
      known === undefined ||
      each.changeTimeMs > known.changeTimeMs ||
      (each.changeTimeMs === known.changeTimeMs &&
        known.value !== null &&
        (each.value === null || isGreater(each.value, known.value)));
    if (wins) decisive.set(each.tagCode, each);
  }
  return new Map([...decisive].flatMap(([code, { value }]) => (value === null ? [] : [[code, value]])));
}

const UIDS = ['u1', '用户二'];
const someChange = fc.record({
  uid: fc.constantFrom(...UIDS),
  tagCode: fc.constantFrom('rt_active_status', 'rt_page'),
  // \uffff sorts after 😀 by UTF-16 unit, before it by code point.
  value: fc.constantFrom(null, '', 'a', 'ab', 'b', '在线', '\uffff', '😀'),
  changeTimeMs: fc.constantFrom(NOW - LATENESS_BOUND_MS - 1, NOW - 1, NOW, NOW + FUTURE_BOUND_MS + 1),
});

export function describeRealtimeTagStoreContract(
  name: string,
  createPlace: () => Promise<StorePlace<RealtimeTagStore>>,
): void {
  describe(`${name} keeps the contract of RealtimeTagStore`, () => {
    let place: StorePlace<RealtimeTagStore>;
    let store: RealtimeTagStore;

    before(async () => {
      place = await createPlace();
      store = await place.open();
    });
    beforeEach(() => store.clear());
    after(async () => {
      await store.close();
      await place.remove();
    });

    it('sets, replaces and removes tags', async () => {
      await store.apply(
        [
          change('u1', 'rt_active_status', 'online', NOW - 2),
          change('u1', 'rt_last_click_ts', '1678886400', NOW - 2),
        ],
        NOW,
      );
      assert.deepEqual(
        new Map([...(await store.get('u1'))].sort()),
        new Map([
          ['rt_active_status', 'online'],
          ['rt_last_click_ts', '1678886400'],
        ]),
      );
      await store.apply([change('u1', 'rt_active_status', 'offline', NOW - 1)], NOW);
      await store.apply([change('u1', 'rt_last_click_ts', null, NOW - 1)], NOW);
      assert.deepEqual(await store.get('u1'), new Map([['rt_active_status', 'offline']]));
    });

    it('keeps the empty value apart from no value', async () => {
      await store.apply([change('u1', 'rt_page', '')], NOW);
      assert.deepEqual(await store.get('u1'), new Map([['rt_page', '']]));
    });

    it('keeps every value as it was given', async () => {
      const values = [' ', '0.10', '用户\n"\\', '👨‍👩‍👧', 'e\u0301', '用'.repeat(MAX_TAG_VALUE_BYTES / 4)];
      await store.apply(
        values.map((value, i) => change('u1', `tag_${i}`, value)),
        NOW,
      );
      const stored = await store.get('u1');
      for (const [i, value] of values.entries()) assert.equal(stored.get(`tag_${i}`), value);
    });

    it('answers getMany in the order and with the repeats of the uids', async () => {
      await store.apply([change('u1', 'rt_page', 'one'), change('u2', 'rt_page', 'two')], NOW);
      const answers = await store.getMany(['u2', 'nobody', 'u1', 'u2']);
      assert.deepEqual(
        answers.map((tags) => tags.get('rt_page')),
        ['two', undefined, 'one', 'two'],
      );
    });

    it('refuses what is out of bounds or not valid', async () => {
      const result = await store.apply(
        [
          change('u1', 'rt_page', 'x', NOW - LATENESS_BOUND_MS - 1),
          change('u1', 'rt_page', 'y', NOW + FUTURE_BOUND_MS + 1),
        ],
        NOW,
      );
      assert.deepEqual(result, { accepted: 0, refusedTooOld: 1, refusedFuture: 1 });
      await assert.rejects(store.apply([change('', 'rt_page', 'x')], NOW), { code: 'invalid_uid' });
      await assert.rejects(store.apply([change('u1', 'RT', 'x')], NOW), { code: 'bad_request' });
      await assert.rejects(store.apply([change('u1', 'rt_page', '\ud83d')], NOW), { code: 'bad_request' });
      await assert.rejects(store.apply([change('u1', 'rt_page', 'a\0b')], NOW), { code: 'bad_request' });
      await assert.rejects(store.apply([change('u1', 'rt_page', 'x'.repeat(MAX_TAG_VALUE_BYTES + 1))], NOW), {
        code: 'bad_request',
      });
      await assert.rejects(store.get('u1', { deadlineMs: 0 }), { code: 'unavailable' });
    });

    it('keeps tags over a restart, and forgets them when cleared', async () => {
      await store.apply([change('u1', 'rt_page', 'x')], NOW);
      await store.close();
      store = await place.open();
      assert.deepEqual(await store.get('u1'), new Map([['rt_page', 'x']]));
      await store.clear();
      assert.deepEqual(await store.get('u1'), new Map());
    });

    it('ends in the same state for any order and any repetition of changes', async () => {
      const scenario = fc
        .array(someChange, { minLength: 1, maxLength: 20 })
        .chain((changes) =>
          fc.tuple(
            fc.constant(changes),
            fc.shuffledSubarray([...changes, ...changes], { minLength: changes.length }),
          ),
        );
      await fc.assert(
        fc.asyncProperty(scenario, async ([changes, again]) => {
          await store.clear();
          await store.apply(again, NOW);
          for (const each of changes) await store.apply([each], NOW);
          for (const uid of UIDS) {
            assert.deepEqual(
              new Map([...(await store.get(uid))].sort()),
              new Map([...expectedTags(changes, uid)].sort()),
            );
          }
        }),
        { numRuns: 100 },
      );
    });
  });
}
