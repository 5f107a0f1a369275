import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findTroubles, type Livelihood } from './find-troubles.js';
import type { WorkerView } from './protocol.js';

const WELL: WorkerView = { storeServers: [], storeTrouble: undefined, sharedCacheTrouble: undefined };
const server = (name: string, isAway: boolean) => ({
  ...{ name, isAway },
  ...{ rowsInFlight: 0, rowLimit: 1, rowsWaiting: 0 },
});

function find(changes: Partial<Livelihood>): unknown {
  const well = { stream: { stalenessMs: 0, trouble: undefined }, staleAfterMs: 5_000 };
  return [...findTroubles({ ...well, sharedCacheTrouble: undefined, workers: [WELL], ...changes })];
}

test('nothing is wrong: nothing is said', () => {
  assert.deepEqual(find({}), []);
  const starting = { stalenessMs: Number.POSITIVE_INFINITY, trouble: undefined };
  assert.deepEqual(find({ stream: starting }), []);
});

test('the stream: what failed, and what follows from it', () => {
  const about = 'The stream of changes';
  const trouble = 'Kafka: looking for topics failed (ECONNREFUSED)';
  const never = { stalenessMs: Number.POSITIVE_INFINITY, trouble };
  assert.deepEqual(find({ stream: never }), [[about, `cannot be followed: ${trouble}`]]);
  assert.deepEqual(find({ stream: { stalenessMs: 5_000, trouble } }), [
    [about, `followed, with errors: ${trouble}`],
  ]);
  const silent = 'silent for more than 5000 ms, answers are stale';
  assert.deepEqual(find({ stream: { stalenessMs: 5_001, trouble } }), [[about, `${silent} (${trouble})`]]);
  assert.deepEqual(find({ stream: { stalenessMs: 5_001, trouble: undefined } }), [[about, silent]]);
});

test('the shared cache has one voice, and what several workers see is said once', () => {
  const workers: WorkerView[] = [
    { ...WELL, sharedCacheTrouble: 'slow', storeServers: [server('a:1', true), server('b:1', false)] },
    { ...WELL, storeServers: [server('a:1', true)] },
    { ...WELL, storeTrouble: 'no route', storeServers: [server('node:1', true)] },
  ];
  const others = [
    ['HBase server a:1', 'cannot be reached, what needs it is refused'],
    ['The store', 'not reached yet: no route'],
  ];
  assert.deepEqual(find({ workers }), [['The shared cache', 'not used by every worker: slow'], ...others]);
  assert.deepEqual(find({ workers, sharedCacheTrouble: 'it is away' }), [
    ['The shared cache', 'not used: it is away'],
    ...others,
  ]);
});
