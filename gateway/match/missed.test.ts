import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { createMatchWorld, type MatchWorldOptions, type Reply } from '../../test/support/match-world.js';

const STORED = new Map([
  ['u1', ['vip', 'asleep', 'big']],
  ['u2', []],
]);

type Circumstances = Omit<MatchWorldOptions, 'getMany'> & { readonly isStaleThen?: boolean };

/** The answer to a query by a gateway that has nothing cached. */
function ask(
  query: string,
  way: 'missed' | 'long',
  { isStaleThen = false, ...options }: Circumstances,
): Promise<Reply> {
  const { fastPath, match, matchMissed, load, time } = createMatchWorld({
    ...options,
    getMany: async (uids) => {
      if (isStaleThen) time.nowMs += 10_000;
      return uids.map((uid) => {
        const codes = STORED.get(uid);
        if (codes === undefined) throw new QuanrenError('unavailable', 'The store is gone.');
        return new Map(codes.map((code) => [code, 1]));
      });
    },
  });
  if (way === 'long') return match(query).later;
  assert.equal(fastPath.answer(query, time.nowMs), undefined);
  const { missed } = fastPath;
  assert.ok(missed !== undefined, query);
  const { later } = matchMissed(missed);
  assert.equal(load.asked, 1, 'the shedder goes by how many are asked for');
  return later;
}

test('a user whom the fast path missed gets the bytes of the long way', async () => {
  const worlds = [{}, { maxSetBytes: 0 }, { isStaleThen: true }, { isCatalogLoaded: false }];
  for (const world of worlds) {
    for (const uid of ['u1', 'u2', 'lost']) {
      for (const rest of ['', '&crowdCode=vip', '&crowdCode=big']) {
        const query = `uid=${uid}${rest}`;
        const long = await ask(query, 'long', world);
        assert.equal(long.status, uid === 'lost' || 'isCatalogLoaded' in world ? 503 : 200);
        assert.deepEqual(await ask(query, 'missed', world), long, query);
      }
    }
  }
});
