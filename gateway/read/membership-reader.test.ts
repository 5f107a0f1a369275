/**
 * The race between fills and changes, over thousands of seeded schedules: the store, the stream and the requests take
 * their steps in every order that a seed gives, and after each step the promise of the cache is checked.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../../errors/quanren-error.js';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import type { Memberships } from '../../stores/membership-store.js';
import { Random } from '../../test/differential/random.js';
import { PromptConnection, SimulatedServer } from '../../test/model/simulated-redis.js';
import { CrowdSets } from '../cache/crowd-sets.js';
import { Generations, slotOf } from '../cache/generations.js';
import { MembershipCache } from '../cache/membership-cache.js';
import { hashUid } from '../cache/uid-hash.js';
import { CrowdCatalog } from '../match/crowd-catalog.js';
import type { ReadOutcome } from './flights.js';
import { ImmediateReader } from './immediate-reader.js';
import { MembershipReader, type MembershipSource } from './membership-reader.js';
import { SharedLevel } from './shared-level.js';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function makeWorld(
  source: MembershipSource,
  atTurnEnd: (run: () => void) => void,
  limit = new ConcurrencyLimit(),
  shared?: SharedLevel,
  busyMs = () => 0,
) {
  const generations = new Generations();
  const catalog = new CrowdCatalog();
  catalog.isLoaded = true;
  catalog.apply([
    ['a', 'active'],
    ['b', 'active'],
    ['p', 'paused'],
  ]);
  const cache = new MembershipCache({
    entries: 64,
    maxSetBytes: 100_000,
    ttlMs: 1_000_000,
    generations,
    sets: new CrowdSets(),
  });
  const counts = { batches: [] as number[], coalesced: 0, refreshes: 0, fills: 0, drops: 0, immediate: 0 };
  const defects: unknown[] = [];
  const reader = new MembershipReader({
    onDefect: (error) => defects.push(error),
    source,
    shared,
    cache,
    generations,
    catalog,
    limit,
    shedder: { admits: () => true },
    counters: {
      onBatch: (size) => counts.batches.push(size),
      onCoalesced: () => {
        counts.coalesced += 1;
      },
      onRefresh: () => {
        counts.refreshes += 1;
      },
      onFill: () => {
        counts.fills += 1;
      },
      onGenerationDrop: () => {
        counts.drops += 1;
      },
    },
    deadlineMs: 1_000,
    atTurnEnd,
    busyMs,
    now: () => 0,
  });
  const find = (uid: string) => {
    const bytes = Buffer.from(uid);
    const set = cache.find(hashUid(uid), bytes, 0, bytes.length, 0);
    return set === undefined ? undefined : [...set.codes];
  };
  return { generations, catalog, cache, reader, find, counts, defects };
}

async function runSchedule(
  seed: number,
): Promise<Record<'fills' | 'drops' | 'coalesced' | 'immediate', number>> {
  const random = new Random(seed);
  const uids = ['u1', 'u2'];
  const stored = new Map<string, string[]>(uids.map((uid) => [uid, []]));
  /** Every value the store has had, with the step when it came. */
  const history: { uid: string; codes: string; step: number }[] = uids.map((uid) => ({
    uid,
    codes: '',
    step: 0,
  }));
  const codesAt = (uid: string, step: number) =>
    history.findLast((entry) => entry.uid === uid && entry.step <= step)?.codes;
  const choices: (() => void)[] = [];
  /** Changes in the store that the stream has not told yet. */
  const untold: string[] = [];
  let step = 0;
  /** Answers that were never true; checked where a failure is the test's. */
  const wrong: string[] = [];

  const source: MembershipSource = {
    getMany: (asked) =>
      new Promise((resolve) => {
        // Two choice points: when the store looks, and when its answer arrives.
        choices.push(() => {
          const seen = asked.map(
            (uid) => new Map((stored.get(uid) ?? []).map((code) => [code, 1])) as Memberships,
          );
          choices.push(() => resolve(seen));
        });
      }),
  };
  const { reader, generations, catalog, cache, find, counts } = makeWorld(source, (run) => choices.push(run));
  /** Since which step each user has been without an untold change. */
  const toldAt = new Map(uids.map((uid) => [uid, 0]));

  const change = () => {
    const uid = random.pick(uids);
    stored.set(uid, random.pick([[], ['a'], ['b'], ['a', 'b']]));
    history.push({ uid, codes: (stored.get(uid) ?? []).join(), step });
    untold.push(uid);
  };
  const tell = () => {
    const uid = untold.shift();
    if (uid === undefined) return;
    generations.moveSlot(slotOf(hashUid(uid)));
    toldAt.set(uid, step);
  };
  const immediate = new ImmediateReader({
    source: {
      getNow: (uid) => new Map((stored.get(uid) ?? []).map((code) => [code, 1])),
    },
    cache,
    generations,
    catalog,
    counters: {
      onBatch: () => {},
      onFill: () => {
        counts.immediate += 1;
      },
    },
    stopwatch: () => 0,
    diskWaits: () => 0,
  });
  const askAtOnce = () => {
    const uid = random.pick(uids);
    const bytes = Buffer.from(uid);
    const set = immediate.read(uid, hashUid(uid), bytes, 0, bytes.length, 0);
    const answer = set && [...set.codes].join();
    if (answer !== stored.get(uid)?.join())
      wrong.push(`seed ${seed}: ${uid} was answered '${answer}' at once`);
  };
  const ask = () => {
    const uid = random.pick(uids);
    const askedAt = step;
    const told = !untold.includes(uid);
    reader.read(uid, Buffer.from(uid), hashUid(uid), (outcome: ReadOutcome) => {
      const answer = outcome instanceof QuanrenError ? outcome.code : outcome.join();
      const valid = new Set<string | undefined>();
      // If all changes had been told when it was asked, the answer must be of then or later.
      const from = told ? askedAt : 0;
      for (let at = from; at <= step; at++) valid.add(codesAt(uid, at));
      if (!valid.has(answer)) wrong.push(`seed ${seed}: ${uid} was answered '${answer}' at step ${step}`);
    });
  };

  for (step = 1; step <= 60; step++) {
    const kind = random.int(14);
    if (kind <= 1) change();
    else if (kind <= 3) tell();
    else if (kind <= 5) ask();
    else if (kind === 6) askAtOnce();
    else choices.splice(random.int(choices.length), 1)[0]?.();
    await settle();
    assert.deepEqual(wrong, []);
    for (const uid of uids) {
      const found = find(uid);
      if (found === undefined || untold.includes(uid)) continue;
      assert.equal(
        found.join(),
        stored.get(uid)?.join(),
        `seed ${seed}: the cache is stale for ${uid} at ${step}`,
      );
    }
  }
  return counts;
}

test('no stale fill outlives an invalidation, whatever the order of the steps', async () => {
  const total = { fills: 0, drops: 0, coalesced: 0, immediate: 0 };
  for (let seed = 1; seed <= 3_000; seed++) {
    const counts = await runSchedule(seed);
    total.fills += counts.fills;
    total.drops += counts.drops;
    total.coalesced += counts.coalesced;
    total.immediate += counts.immediate;
  }
  // The schedules do reach the races that this is about.
  assert.ok(total.fills > 1_000 && total.drops > 300 && total.coalesced > 300, JSON.stringify(total));
  assert.ok(total.immediate > 1_000, JSON.stringify(total));
});

test('reads of one turn go together; those of one user are one', async () => {
  const asked: (readonly string[])[] = [];
  const due: (() => void)[] = [];
  const source: MembershipSource = {
    getMany: async (uids) => {
      asked.push(uids);
      return uids.map(
        () =>
          new Map([
            ['a', 1],
            ['p', 1],
            ['gone', 1],
          ]),
      );
    },
  };
  const { reader, find, counts } = makeWorld(source, (run) => due.push(run));
  const answers: ReadOutcome[] = [];
  for (const uid of ['u1', 'u2', 'u1', 'u3'])
    reader.read(uid, Buffer.from(uid), hashUid(uid), (o) => answers.push(o));
  assert.equal(due.length, 1);
  due[0]?.();
  await settle();
  assert.deepEqual(asked, [['u1', 'u2', 'u3']]);
  assert.deepEqual(answers, [['a'], ['a'], ['a'], ['a']]);
  assert.equal(counts.coalesced, 1);
  assert.deepEqual(find('u1'), ['a']);
});

test('a store that fails is an error for each who waits, and is asked again', async () => {
  let isUp = false;
  const source: MembershipSource = {
    getMany: async (uids) => {
      if (!isUp) throw gone;
      return uids.map(() => new Map());
    },
  };
  const gone = new Error('gone');
  const { reader, find, defects } = makeWorld(source, setImmediate);
  const ask = () =>
    new Promise<ReadOutcome>((resolve) => reader.read('u1', Buffer.from('u1'), hashUid('u1'), resolve));
  const [first, second] = await Promise.all([ask(), ask()]);
  assert.ok(first instanceof QuanrenError && second instanceof QuanrenError);
  assert.equal(first.code, 'unavailable');
  assert.deepEqual(defects, [gone]);
  assert.equal(find('u1'), undefined);
  isUp = true;
  assert.deepEqual(await ask(), []);
  assert.deepEqual(find('u1'), []);
});

test('beyond the limit reads are refused at once', () => {
  const limit = new ConcurrencyLimit();
  const { reader } = makeWorld({ getMany: () => new Promise(() => {}) }, () => {}, limit);
  const refused: ReadOutcome[] = [];
  for (let i = 0; i < limit.limit + 5; i++)
    reader.read(`u${i}`, Buffer.from(`u${i}`), hashUid(`u${i}`), (o) => refused.push(o));
  assert.equal(refused.length, 5);
  assert.ok(refused.every((o) => o instanceof QuanrenError && o.code === 'overloaded'));
});

test('of a store whose parts fail apart, those who can be read are answered and kept', async () => {
  const away = new QuanrenError('unavailable', 'A region server is away.');
  const source: MembershipSource = {
    getMany: () => Promise.reject(new Error('nobody asks so')),
    getEach: async (uids) => uids.map((uid) => (uid === 'lost' ? away : new Map([['a', 1]]))),
  };
  const limit = new ConcurrencyLimit();
  const { reader, find, counts } = makeWorld(source, setImmediate, limit);
  const outcomes = await Promise.all(
    ['u1', 'lost', 'u2'].map(
      (uid) =>
        new Promise<ReadOutcome>((resolve) => reader.read(uid, Buffer.from(uid), hashUid(uid), resolve)),
    ),
  );
  assert.deepEqual(outcomes, [['a'], away, ['a']]);
  assert.deepEqual([find('u1'), find('lost'), find('u2')], [['a'], undefined, ['a']]);
  assert.deepEqual(counts.batches, [3]);
  assert.equal(limit.inFlight, 0);
});

/** Two workers of different gateways over one shared cache that answers at once, and a store that may be away. */
function makeSharers() {
  const server = new SimulatedServer('s1', { now: () => 1_000, bugs: {} });
  let tokens = 0;
  const newToken = () => {
    tokens += 1;
    return `token ${tokens}`;
  };
  const store = { isUp: true, asked: [] as (readonly string[])[], beforeAnswer: () => {} };
  const source: MembershipSource = {
    getMany: async (uids) => {
      store.asked.push(uids);
      await settle();
      store.beforeAnswer();
      if (!store.isUp) throw new QuanrenError('unavailable', 'gone');
      return uids.map(() => new Map(['a', 'p', 'gone'].map((code) => [code, 1])));
    },
  };
  const makeSharer = () => {
    const connection = new PromptConnection(server, {
      ...{ newToken, ttlMs: 10_000, timeoutMs: 50, bugs: {} },
      now: () => 1_000,
    });
    const shared = new SharedLevel(connection, { onSharedRead: () => {} });
    shared.trust = { server: 's1', sinceMs: 0 };
    const limit = new ConcurrencyLimit();
    const world = makeWorld(source, setImmediate, limit, shared);
    const ask = (uids: readonly string[]) =>
      Promise.all(
        uids.map(
          (uid) =>
            new Promise<ReadOutcome>((resolve) =>
              world.reader.read(uid, Buffer.from(uid), hashUid(uid), resolve),
            ),
        ),
      );
    return { ...world, shared, limit, ask };
  };
  return { server, store, makeSharer };
}

test('what one read, another finds in the shared cache; crowds that are paused are in it too', async () => {
  const { store, makeSharer } = makeSharers();
  const [first, second] = [makeSharer(), makeSharer()];
  assert.deepEqual(await first.ask(['u1']), [['a']]);
  second.catalog.apply([
    ['a', 'paused'],
    ['p', 'active'],
  ]);
  assert.deepEqual(await second.ask(['u1']), [['p']]);
  assert.deepEqual(second.find('u1'), ['p']);
  assert.deepEqual(store.asked, [['u1']]);
  second.generations.moveAll();
  second.shared.trust = null;
  assert.deepEqual(await second.ask(['u1']), [['p']]);
  assert.equal(store.asked.length, 2, 'what is not trusted is not asked');
});

test('who is in the shared cache is answered while the store is away, and takes no room of it', async () => {
  const { store, makeSharer } = makeSharers();
  const [first, second] = [makeSharer(), makeSharer()];
  await first.ask(['u1', 'u3']);
  store.isUp = false;
  const [known, unknown, alsoKnown] = await second.ask(['u1', 'u2', 'u3']);
  assert.deepEqual([known, alsoKnown], [['a'], ['a']]);
  assert.ok(unknown instanceof QuanrenError && unknown.code === 'unavailable');
  assert.deepEqual(store.asked.at(-1), ['u2']);
  assert.equal(second.limit.inFlight, 0);
  assert.deepEqual(second.counts.batches, [1], 'of the store one user was asked');
});

test('who changes while the shared cache is asked is read from the store', async () => {
  const { store, makeSharer } = makeSharers();
  const [first, second] = [makeSharer(), makeSharer()];
  await first.ask(['u1', 'u2']);
  const asked = second.ask(['u1', 'u2']);
  second.generations.moveSlot(slotOf(hashUid('u1')));
  await asked;
  assert.deepEqual(store.asked, [['u1', 'u2'], ['u1']]);
  assert.equal(second.limit.inFlight, 0);
});

test('a fill under a lease that was taken away is no entry', async () => {
  const { server, store, makeSharer } = makeSharers();
  const sharer = makeSharer();
  store.beforeAnswer = () => server.invalidate('u1');
  assert.deepEqual(await sharer.ask(['u1']), [['a']]);
  await settle();
  assert.equal(server.entries.get('u1'), undefined);
});

test('the limit shrinks when the store is slow, and not when this process was busy meanwhile', async () => {
  for (const [isBusy, shrinks] of [
    [false, true],
    [true, false],
  ]) {
    let tookMs = 0;
    let busyMs = 0;
    const source: MembershipSource = {
      getMany: async (uids) => {
        const askedMs = performance.now();
        await sleep(tookMs);
        if (isBusy === true) busyMs += performance.now() - askedMs;
        return uids.map(() => new Map());
      },
    };
    const limit = new ConcurrencyLimit();
    const { reader } = makeWorld(source, setImmediate, limit, undefined, () => busyMs);
    const read = (uid: string) =>
      new Promise((resolve) => reader.read(uid, Buffer.from(uid), hashUid(uid), resolve));
    const startMs = performance.now();
    await read('u1');
    const before = limit.limit;
    tookMs = 100 + 4 * (performance.now() - startMs);
    await read('u2');
    assert.equal(limit.limit < before, shrinks, `busy: ${isBusy}`);
  }
});
