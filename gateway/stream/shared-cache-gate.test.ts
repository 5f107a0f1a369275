import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_SHARED_UIDS, type ServerLook, type SharedCache, type Trust } from '../cache/shared-cache.js';
import { ServerClock } from './server-clock.js';
import { SharedCacheGate } from './shared-cache-gate.js';

const NOW_MS = 1_800_000_000_000;
const SKEW_MS = 60_000;

/** Over a cache of which only what the gate asks for is there, answered as the test says. */
function makeGate() {
  const world = {
    look: { server: 's1', timeMs: NOW_MS } as ServerLook | undefined,
    invalidates: true,
    measuredMs: 0,
    nowMs: NOW_MS,
    beforeLook: () => {},
  };
  const asked: { uids: readonly string[]; trust: Trust }[] = [];
  const told: (Trust | null)[] = [];
  const reasons: string[] = [];
  const notAsked = () => Promise.reject(new Error('main does not read'));
  const cache: SharedCache = {
    read: notAsked,
    fill: notAsked,
    close: notAsked,
    look: async () => {
      world.beforeLook();
      return world.look;
    },
    invalidate: async (uids, trust) => {
      asked.push({ uids, trust });
      return world.invalidates;
    },
  };
  const gate = new SharedCacheGate({
    cache,
    onTrust: (trust) => told.push(trust),
    onShut: (reason) => reasons.push(reason),
    skewMs: SKEW_MS,
    now: () => world.nowMs,
    stopwatch: () => world.measuredMs,
  });
  return { world, gate, asked, told, reasons };
}

async function makeOpenGate() {
  const all = makeGate();
  await all.gate.warm();
  all.gate.replayed(NOW_MS);
  all.told.length = 0;
  return all;
}

test('entries of before are believed once the stream was replayed, by a clock that agrees with ours', async () => {
  const { gate, told, asked } = makeGate();
  assert.equal(await gate.warm(), true);
  assert.equal(gate.state, 'warming');
  await gate.forget(['u1']);
  assert.deepEqual(asked, [{ uids: ['u1'], trust: { server: 's1', sinceMs: 0 } }]);
  assert.equal(gate.trust, null);
  gate.replayed(NOW_MS - SKEW_MS - 1);
  assert.deepEqual(told, []);
  gate.replayed(NOW_MS - SKEW_MS);
  assert.deepEqual(told, [{ server: 's1', sinceMs: 0 }]);
  assert.equal(gate.state, 'open');
});

test('a server that is away at the start, or whose clock is, is not believed', async () => {
  const { world, gate, reasons } = makeGate();
  world.look = undefined;
  assert.equal(await gate.warm(), false);
  world.look = { server: 's1', timeMs: NOW_MS + SKEW_MS + 1 };
  await gate.check();
  await gate.check();
  assert.equal(gate.state, 'shut');
  assert.deepEqual(reasons, ['it is away', 'its clock and ours are more than 60 s apart']);
  world.look = { server: 's1', timeMs: NOW_MS };
  await gate.check();
  // Before the first look its clock may have been that much ahead.
  assert.deepEqual(gate.trust, { server: 's1', sinceMs: NOW_MS + SKEW_MS });
});

test('many users are invalidated in calls of bounded size; after a failure no further one is asked for', async () => {
  const { world, gate, asked, told, reasons } = await makeOpenGate();
  const uids = Array.from({ length: 2 * MAX_SHARED_UIDS + 1 }, (_, i) => `u${i}`);
  await gate.forget(uids);
  assert.deepEqual(
    asked.map((call) => call.uids.length),
    [MAX_SHARED_UIDS, MAX_SHARED_UIDS, 1],
  );
  assert.deepEqual(
    asked.flatMap((call) => call.uids),
    uids,
  );
  asked.length = 0;
  world.invalidates = false;
  await gate.forget(uids);
  assert.equal(asked.length, 1);
  assert.deepEqual(told, [null]);
  assert.deepEqual(reasons, ['a change could not be invalidated']);
  await gate.forget(['u1']);
  assert.equal(asked.length, 1, 'nothing is read, so nothing is invalidated');
});

test('after an outage only what is leased from then on is believed', async () => {
  const { world, gate, told } = await makeOpenGate();
  world.invalidates = false;
  await gate.forget(['u1']);
  world.look = { server: 's1', timeMs: NOW_MS + 100_000 };
  world.measuredMs = 100_000;
  await gate.check();
  assert.deepEqual(told, [null, { server: 's1', sinceMs: NOW_MS + 100_000 }]);
});

test('a change that comes while the server is looked at makes the look worthless', async () => {
  const { world, gate } = await makeOpenGate();
  world.invalidates = false;
  await gate.forget(['u1']);
  let changes = 2;
  world.beforeLook = () => {
    if (changes-- > 0) void gate.forget(['u2']);
  };
  await gate.check();
  assert.equal(gate.state, 'open', 'the third look was undisturbed');
  await gate.forget(['u1']);
  changes = 3;
  await gate.check();
  assert.equal(gate.state, 'shut');
  await gate.check();
  assert.equal(gate.state, 'open');
});

test('another server is found out, and believed from then on only', async () => {
  const { world, gate, told } = await makeOpenGate();
  world.look = { server: 's2', timeMs: NOW_MS + 90_000 };
  await gate.check();
  assert.deepEqual(told, [null]);
  await gate.check();
  assert.deepEqual(told, [null, { server: 's2', sinceMs: NOW_MS + 90_000 }]);
});

test('a refreshed crowd moves what is believed; where that fails nothing is', async () => {
  const { world, gate, told } = await makeOpenGate();
  world.look = { server: 's1', timeMs: NOW_MS + 100_000 };
  await gate.forgetEverything();
  assert.deepEqual(told, [{ server: 's1', sinceMs: NOW_MS + 100_000 }]);
  world.look = { server: 's2', timeMs: NOW_MS + 100_001 };
  await gate.forgetEverything();
  assert.equal(told.at(-1), null);
});

test('the clock of the server does not run backwards, whatever it says', () => {
  let measuredMs = 0;
  const clock = new ServerClock({ skewMs: 0, stopwatch: () => measuredMs });
  assert.equal(clock.read({ server: 's', timeMs: 50_000 }, 0), 50_000);
  measuredMs = 1_000;
  assert.equal(clock.read({ server: 's', timeMs: 30_000 }, 1_000), 51_000, 'set back');
  measuredMs = 2_000;
  assert.ok(clock.read({ server: 's', timeMs: 31_000 }, 2_000) >= 51_999, 'wears off slowly');
  assert.equal(clock.read({ server: 's', timeMs: 90_000 }, 2_000), 90_000);
  measuredMs = 2_040;
  // Where in these 40 ms the server read its clock is not known: perhaps at once.
  assert.ok(clock.read({ server: 's', timeMs: 90_060 }, 2_000) >= 90_100);
});
