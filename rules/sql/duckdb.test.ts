import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareDecimals, parseDecimal } from '../decimal.js';
import { sortKeyOf } from './duckdb.js';

const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.nat(38), fc.nat(38))
  .map(([digits, dropped, scale]) => {
    const text = (digits / 10n ** BigInt(dropped))
      .toString()
      .replace('-', '')
      .padStart(scale + 1, '0');
    const sign = digits < 0n ? '-' : '';
    return parseDecimal(`${sign}${text.slice(0, text.length - scale)}.${text.slice(text.length - scale)}0`);
  })
  .filter((value) => value !== null);

test('sort keys order as numbers do', () => {
  fc.assert(
    fc.property(decimal, decimal, (a, b) => {
      const keys = [sortKeyOf(a), sortKeyOf(b)];
      const order = (keys[0] ?? '') < (keys[1] ?? '') ? -1 : keys[0] === keys[1] ? 0 : 1;
      assert.equal(order, Math.sign(compareDecimals(a, b)));
    }),
    { numRuns: 2_000 },
  );
});
