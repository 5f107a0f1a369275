import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadlines, SLOT_MS, SLOTS } from './deadlines.js';

const TURN_MS = SLOTS * SLOT_MS;

/** Items that are due after so many milliseconds, and which of them have expired. */
function withItems(delaysMs: readonly number[]) {
  const deadlines = new Deadlines();
  const startedMs = performance.now();
  const expired: number[] = [];
  const items = delaysMs.map((delayMs) => {
    const deadlineAtMs = startedMs + delayMs;
    const item = {
      deadlineAtMs,
      place: 0,
      expire: () => {
        assert.ok(performance.now() >= deadlineAtMs);
        expired.push(delayMs);
      },
    };
    deadlines.add(item);
    return item;
  });
  return { deadlines, items, expired };
}

const sorted = (numbers: readonly number[]) => numbers.toSorted((a, b) => a - b);

test('each expires once, not before its time, unless it was removed', async () => {
  const delaysMs = Array.from({ length: 200 }, (_, i) => (i * 37) % 150);
  const { deadlines, items, expired } = withItems(delaysMs);
  for (const [i, item] of items.entries()) if (i % 3 === 0) deadlines.remove(item);
  await sleep(400);
  assert.deepEqual(sorted(expired), sorted(delaysMs.filter((_, i) => i % 3 !== 0)));
  assert.deepEqual(deadlines.items(), []);
  for (const item of items) deadlines.remove(item);
});

test('what is due in a later turn of the wheel is left in its slot', async () => {
  const { deadlines, items, expired } = withItems([50, TURN_MS + 50, 2 * TURN_MS + 50]);
  await sleep(150);
  assert.deepEqual(expired, [50]);
  assert.deepEqual(new Set(deadlines.items()), new Set(items.slice(1)));
});

test('one that is added as another expires has its own time', async () => {
  const deadlines = new Deadlines();
  const expiredAtMs: number[] = [];
  const item = (delayMs: number, then: () => void) => ({
    deadlineAtMs: performance.now() + delayMs,
    place: 0,
    expire: () => {
      expiredAtMs.push(performance.now());
      then();
    },
  });
  deadlines.add(item(10, () => deadlines.add(item(30, () => undefined))));
  await sleep(200);
  assert.equal(expiredAtMs.length, 2);
  assert.ok((expiredAtMs[1] ?? 0) - (expiredAtMs[0] ?? 0) >= 30);
});
