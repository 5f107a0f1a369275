import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEntry, encodeCodes, LEASE, VALUE } from './entry.js';

const LEASED_AT = Buffer.from('0193559e5c00', 'hex');

function value(uid: string, codes: readonly string[]): Buffer {
  return Buffer.concat([Buffer.of(VALUE), LEASED_AT, encodeCodes(uid, codes)]);
}

test('a value, byte by byte', () => {
  const bytes = value('u1', ['old', 'vip']);
  assert.equal(bytes.toString('hex'), `020193559e5c00${crcOf('u1\0old,vip')}6f6c642c766970`);
  assert.deepEqual(decodeEntry('u1', bytes), {
    kind: 'value',
    codes: ['old', 'vip'],
    leasedAtMs: 0x0193559e5c00,
  });
});

/** CRC-32 by its definition: the oracle. */
function crcOf(text: string): string {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return (~crc >>> 0).toString(16).padStart(8, '0');
}

test('a lease, its token whatever bytes', () => {
  const token = Buffer.from(Array.from({ length: 16 }, (_, i) => i * 17));
  const entry = decodeEntry('u1', Buffer.concat([Buffer.of(LEASE), LEASED_AT, token]));
  assert.deepEqual(entry, { kind: 'lease', token: token.toString('latin1') });
});

test('any codes come back, and no other user’s', () => {
  const code = fc.stringMatching(/^[a-z][a-z0-9_]{0,49}$/);
  fc.assert(
    fc.property(fc.string(), fc.array(code), (uid, codes) => {
      const decoded = decodeEntry(uid, value(uid, codes));
      assert.deepEqual(decoded?.kind === 'value' && decoded.codes, codes);
      assert.equal(decodeEntry(`${uid}x`, value(uid, codes)), undefined);
    }),
  );
});

test('arbitrary bytes never throw, and bytes that were changed are not a value', () => {
  const good = value('u1', ['old', 'vip']);
  for (let i = 0; i < good.length; i += 1) {
    assert.equal(decodeEntry('u1', good.subarray(0, i)), undefined, `${i} bytes`);
    const changed = Buffer.from(good);
    changed[i] = (changed[i] ?? 0) ^ 4;
    const isTime = i >= 1 && i < 7;
    assert.equal(decodeEntry('u1', changed) === undefined, !isTime, `byte ${i}`);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      decodeEntry('u1', Buffer.from(bytes));
    }),
  );
});
