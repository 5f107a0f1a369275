import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConcurrencyLimit } from './concurrency-limit.js';

test('it grows while the store is quick and used, up to its bound', () => {
  const limit = new ConcurrencyLimit({ least: 64, most: 16_384, first: 1_024, slackMs: 10 });
  const first = limit.limit;
  limit.tryAcquire();
  limit.release(1, 1, false, 0);
  assert.equal(limit.limit, first, 'one read uses little of it');
  for (let i = 0; i < 2_000; i++) {
    while (limit.tryAcquire());
    limit.release(limit.inFlight, 1, false, i);
  }
  assert.equal(limit.limit, 16_384);
});

test('it shrinks when the store is slow or fails, down to its bound, and recovers', () => {
  const limit = new ConcurrencyLimit({ least: 64, most: 16_384, first: 1_024, slackMs: 10 });
  const fill = (atMs: number, tookMs: number, hasFailed = false) => {
    while (limit.tryAcquire());
    limit.release(limit.inFlight, tookMs, hasFailed, atMs);
  };
  fill(0, 1);
  const before = limit.limit;
  fill(100, 50);
  assert.ok(limit.limit < before);
  const shrunk = limit.limit;
  fill(110, 50);
  assert.equal(limit.limit, shrunk, 'the same slowness counts once');
  for (let i = 0; i < 100; i++) fill(1_000 + i * 100, 60, true);
  assert.equal(limit.limit, 64);
  for (let i = 0; i < 200; i++) fill(20_000 + i, 1);
  assert.ok(limit.limit > 1_000);
});

test('a store that became slower for good is not throttled for ever', () => {
  const limit = new ConcurrencyLimit({ least: 64, most: 16_384, first: 1_024, slackMs: 10 });
  limit.tryAcquire();
  limit.release(1, 1, false, 0);
  for (let i = 1; i < 100; i++) {
    while (limit.tryAcquire());
    limit.release(limit.inFlight, 40, false, i * 1_000);
  }
  assert.ok(limit.limit > 64);
});
