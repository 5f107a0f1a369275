import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { complement, includes, type Range, unite } from './ranges.js';

const bound = fc.option(fc.integer({ min: 0, max: 12 }));
const someRanges = fc.array(fc.record({ from: bound, to: bound }), { maxLength: 6 });
const contains = ({ from, to }: Range<number>, value: number) =>
  (from === null || value >= from) && (to === null || value < to);

test('union, complement and membership are those of sets', () => {
  fc.assert(
    fc.property(someRanges, (ranges) => {
      const united = unite(ranges);
      for (let value = -1; value <= 13; value += 1) {
        const expected = ranges.some((range) => contains(range, value));
        assert.equal(united.filter((range) => contains(range, value)).length, expected ? 1 : 0);
        assert.equal(includes(united, value), expected);
        assert.equal(includes(complement(united), value), !expected);
      }
      for (const [index, { to }] of united.slice(0, -1).entries()) {
        const next = united[index + 1]?.from;
        assert.ok(to !== null && next !== null && next !== undefined && to < next);
      }
      assert.deepEqual(complement(complement(united)), united);
    }),
    { numRuns: 1000 },
  );
});
