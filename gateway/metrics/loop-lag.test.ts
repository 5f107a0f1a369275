import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LoopLag, RecentMaximum } from './loop-lag.js';

test('a pause is seen in so many readings, and then no more', () => {
  const recent = new RecentMaximum(3);
  assert.deepEqual(
    [0.01, 0.5, 0.02, 0.03, 0.01, 0].map((lag) => recent.add(lag)),
    [0.01, 0.5, 0.5, 0.5, 0.03, 0.03],
  );
});

test('a loop that is held for 200 ms is late by that, in the readings after it too', async () => {
  const lag = new LoopLag(2);
  await sleep(50);
  const heldUntilMs = performance.now() + 200;
  while (performance.now() < heldUntilMs);
  await sleep(50);
  const seconds = lag.read();
  assert.ok(seconds > 0.18, String(seconds));
  assert.ok(lag.read() >= seconds);
});
