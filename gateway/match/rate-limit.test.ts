import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RateLimit } from './rate-limit.js';

test('over any time no more is admitted than the rate, a second’s worth, and the last request', () => {
  const request = fc.record({
    users: fc.integer({ min: 1, max: 50 }),
    laterMs: fc.integer({ min: 0, max: 100 }),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2_000 }), fc.array(request, { minLength: 1 }), (rate, requests) => {
      const limit = new RateLimit(rate);
      let nowMs = 1_764_000_000_000;
      const taken: { readonly atMs: number; readonly users: number }[] = [];
      for (const { users, laterMs } of requests) {
        nowMs += laterMs;
        if (limit.tryTake(users, nowMs)) taken.push({ atMs: nowMs, users });
      }
      for (const [i, first] of taken.entries()) {
        const since = taken.slice(i);
        const last = since.at(-1) ?? first;
        const admitted = since.slice(0, -1).reduce((sum, { users }) => sum + users, 0);
        assert.ok(admitted <= rate * (1 + (last.atMs - first.atMs) / 1_000) + 1e-6);
      }
    }),
  );
});

test('what stays below the rate is never refused', () => {
  const limit = new RateLimit(100);
  for (let nowMs = 0; nowMs < 10_000; nowMs += 10) assert.equal(limit.tryTake(1, nowMs), true);
});

test('it refuses at once what is beyond, and admits again as the bucket leaks', () => {
  const limit = new RateLimit(10);
  for (let i = 0; i < 10; i += 1) assert.equal(limit.tryTake(1, 0), true);
  assert.equal(limit.tryTake(1, 0), false);
  assert.equal(limit.tryTake(1, 99), true);
  assert.equal(limit.tryTake(1, 99), false);
  assert.equal(limit.tryTake(1_000, 10_000), true, 'a request is taken whole');
  assert.equal(limit.tryTake(1, 20_000), false);
});
