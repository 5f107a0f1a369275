import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { backOffMs } from './back-off.js';

test('waits double up to a bound, and differ by up to a half', () => {
  const waits = [1, 2, 3, 4, 5, 1_000_000].map((failures) =>
    [0, 0.999_999].map((random) => backOffMs({ firstMs: 50, longestMs: 400 }, failures, random)),
  );
  assert.deepEqual(waits, [
    [25, 50],
    [50, 100],
    [100, 200],
    [200, 400],
    [200, 400],
    [200, 400],
  ]);
});

test('nobody waits longer than the bound, nor less than half of the first wait', () => {
  const bounds = fc.record({ firstMs: fc.integer({ min: 1, max: 1_000 }), more: fc.nat(10_000) });
  fc.assert(
    fc.property(bounds, fc.integer({ min: 1, max: 10_000 }), ({ firstMs, more }, failures) => {
      const longestMs = firstMs + more;
      const waitMs = backOffMs({ firstMs, longestMs }, failures);
      assert.ok(Number.isInteger(waitMs) && waitMs >= firstMs / 2 && waitMs <= longestMs);
    }),
  );
});
