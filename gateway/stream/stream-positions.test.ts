import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message } from '../../events/event-bus.js';
import { heldByAll, isHeld, positionOf } from './stream-positions.js';

const message = (partition: number, offset: number, timestampMs: number): Message => ({
  ...{ topic: 'membership-changes', key: 'u', value: null },
  ...{ partition, offset: BigInt(offset), timestampMs },
});

test('a message is held where it stands before the last one, in place and in time', () => {
  const positions = [positionOf(message(1, 10, 1_000))];
  assert.equal(isHeld(message(1, 10, 1_000), positions), true);
  assert.equal(isHeld(message(1, 9, 999), positions), true);
  assert.equal(isHeld(message(1, 11, 1_000), positions), false);
  assert.equal(isHeld(message(1, 0, 1_001), positions), false, 'of a topic that was made anew');
  assert.equal(isHeld(message(0, 0, 0), positions), false);
  assert.equal(isHeld(message(0, 0, 0), []), false);
});

test('several hold what each of them holds', () => {
  const first = [positionOf(message(0, 5, 50)), positionOf(message(1, 7, 70))];
  const second = [positionOf(message(1, 8, 60)), positionOf(message(2, 1, 10))];
  assert.deepEqual(heldByAll([first, second]), [{ partition: 1, offset: 7, timestampMs: 60 }]);
  assert.deepEqual(heldByAll([first]), first);
  assert.deepEqual(heldByAll([first, []]), []);
  assert.deepEqual(heldByAll([]), []);
});
