import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ByteString, bufferOf, bytesOf, utf8Bytes, utf8Text } from './byte-string.js';
import { ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';
import { WireError } from './wire-error.js';

const byteString = fc.uint8Array({ maxLength: 300 }).map((bytes) => bytesOf(Buffer.from(bytes)));
const field = fc.integer({ min: 1, max: 2 ** 28 });

describe('protobuf', () => {
  it('reads what it wrote', () => {
    const value = fc.oneof(
      fc.record({ kind: fc.constant('uint' as const), value: fc.maxSafeNat() }),
      fc.record({ kind: fc.constant('uint64' as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
      fc.record({ kind: fc.constant('bytes' as const), value: byteString }),
      fc.record({ kind: fc.constant('message' as const), value: fc.array(byteString, { maxLength: 4 }) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(field, value)), fc.integer({ min: 0, max: 400 }), (fields, sizeBytes) => {
        const writer = new ProtoWriter(sizeBytes);
        for (const [number, each] of fields) {
          if (each.kind === 'uint') writer.uint(number, each.value);
          else if (each.kind === 'uint64') writer.uint64(number, each.value);
          else if (each.kind === 'bytes') writer.bytes(number, each.value);
          else {
            writer.message(number, (inner) => {
              for (const bytes of each.value) inner.bytes(7, bytes);
            });
          }
        }
        const reader = new ProtoReader(writer.finish());
        for (const [number, each] of fields) {
          assert.equal(reader.next(), number);
          if (each.kind === 'uint') assert.equal(reader.uint(), each.value);
          else if (each.kind === 'uint64') assert.equal(reader.uint64(), each.value);
          else if (each.kind === 'bytes') assert.equal(reader.bytes(), each.value);
          else assert.deepEqual(reader.message(readAllBytes), each.value);
        }
        assert.equal(reader.next(), 0);
      }),
    );
  });

  it('has the bytes of the specification', () => {
    const writer = new ProtoWriter();
    writer.uint(1, 150);
    writer.bytes(2, utf8Bytes('testing'));
    writer.message(3, (inner) => inner.uint(1, 150));
    assert.equal(writer.finish().toString('hex'), '08960112' + '0774657374696e67' + '1a03089601');
  });

  it('skips what it does not know, and reads packed numbers and single ones', () => {
    // 1: varint; 2: fixed64; 3: length-delimited; 4: fixed32; 5: packed 1, 300; 5: 7
    const buffer = Buffer.from(
      '0805' + '110102030405060708' + '1a0141' + '2501020304' + '2a0301ac02' + '2807',
      'hex',
    );
    const reader = new ProtoReader(buffer);
    const numbers: number[] = [];
    for (let number = reader.next(); number !== 0; number = reader.next()) {
      if (number === 5) reader.uints(numbers);
      else reader.skip();
    }
    assert.deepEqual(numbers, [1, 300, 7]);
  });

  it('refuses what does not fit', () => {
    for (const hex of [
      '08',
      '08ffffffffffffffffffff01',
      '0a05',
      '0a8080808010',
      '00',
      '0b',
      '09000000',
      '0d00',
    ]) {
      const reader = new ProtoReader(Buffer.from(hex, 'hex'));
      assert.throws(() => {
        while (reader.next() !== 0) reader.skip();
      }, WireError);
    }
    const cut = new ProtoReader(Buffer.from('2a0180', 'hex'));
    cut.next();
    assert.throws(() => cut.uints([]), WireError);
    const long = new ProtoReader(Buffer.from('08ffffffffffffff7f', 'hex'));
    long.next();
    assert.throws(() => long.uint(), /greater than 2\^53/);
  });
});

function readAllBytes(reader: ProtoReader): ByteString[] {
  const all: ByteString[] = [];
  while (reader.next() !== 0) all.push(reader.bytes());
  return all;
}

describe('byte strings', () => {
  it('are the UTF-8 of a text, and back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        assert.deepEqual(bufferOf(utf8Bytes(text)), Buffer.from(text, 'utf8'));
        assert.equal(utf8Text(utf8Bytes(text)), text);
      }),
    );
  });

  it('are in the order of their bytes', () => {
    fc.assert(
      fc.property(byteString, byteString, (a, b) => {
        const order = Buffer.compare(bufferOf(a), bufferOf(b));
        assert.equal(a < b, order < 0);
        assert.equal(a > b, order > 0);
      }),
    );
  });
});
