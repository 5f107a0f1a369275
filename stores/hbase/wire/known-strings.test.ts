import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KnownStrings } from './known-strings.js';

describe('KnownStrings', () => {
  it('has the bytes that are there, whatever it has read before', () => {
    const known = new KnownStrings();
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 200 }), (all) => {
        for (const bytes of all) {
          const buffer = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
          const text = known.read(buffer, 6, 6 + bytes.length);
          assert.equal(text, Buffer.from(bytes).toString('latin1'));
        }
      }),
    );
  });
});
