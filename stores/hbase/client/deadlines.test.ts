import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Deadlines } from './deadlines.js';

test('each expires once, not before its time, unless it was removed', async () => {
  const deadlines = new Deadlines();
  const startedMs = performance.now();
  const expired: number[] = [];
  const delays = Array.from({ length: 200 }, (_, i) => (i * 37) % 150);
  const items = delays.map((delayMs) => {
    const atMs = startedMs + delayMs;
    const item = {
      expire: () => {
        assert.ok(performance.now() >= atMs);
        expired.push(delayMs);
      },
    };
    deadlines.add(item, atMs);
    return { item, atMs, delayMs };
  });
  const removed = items.filter((_, i) => i % 3 === 0);
  for (const { item, atMs } of removed) deadlines.remove(item, atMs);
  await sleep(400);
  const expected = items.filter((_, i) => i % 3 !== 0).map(({ delayMs }) => delayMs);
  assert.deepEqual(expired.sort(), expected.sort());
});
