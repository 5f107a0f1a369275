import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8Bytes } from '../wire/byte-string.js';
import type { Cell } from '../wire/cell-block.js';
import type { ScanResult } from '../wire/messages/scan-response.js';
import { RowAssembler } from './row-assembler.js';

const cell = (qualifier: string): Cell => ({
  family: utf8Bytes('cf'),
  qualifier: utf8Bytes(qualifier),
  timestampMs: 1,
  value: utf8Bytes(''),
});

/** A row in parts of so many cells; whether its last part says that more comes. */
const rowInParts = fc.record({
  parts: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 }),
  saysMore: fc.boolean(),
});

test('rows are the same however they were cut, and over how many responses', () => {
  fc.assert(
    fc.property(fc.array(rowInParts, { maxLength: 6 }), fc.array(fc.nat(3)), (rows, resultsPerResponse) => {
      const whole = rows.map(({ parts }, number) => ({
        key: utf8Bytes(`row${number}`),
        cells: Array.from({ length: parts.reduce((sum, size) => sum + size, 0) }, (_, i) => cell(`c${i}`)),
      }));
      const results = rows.flatMap(({ parts, saysMore }, number): ScanResult[] => {
        const { key = utf8Bytes(''), cells = [] } = whole[number] ?? {};
        let from = 0;
        return parts.map((size, part) => {
          const isPartial = part < parts.length - 1 || saysMore;
          from += size;
          return { key, cells: cells.slice(from - size, from), isPartial };
        });
      });
      const assembler = new RowAssembler();
      const seen = resultsPerResponse.flatMap((count) =>
        assembler.add({ results: results.splice(0, count) }, false),
      );
      assert.deepEqual([...seen, ...assembler.add({ results }, true)], whole);
    }),
  );
});
