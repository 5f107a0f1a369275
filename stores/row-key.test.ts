import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32 } from 'node:zlib';
import { QuanrenError } from '../errors/quanren-error.js';
import { checkUid, rowKey, uidOfRowKey } from './row-key.js';
import cases from './row-key.vectors.json' with { type: 'json' };

describe('rowKey', () => {
  for (const { uid, crc32: expected, rowKeys } of cases.vectors) {
    it(`of ${JSON.stringify(uid.slice(0, 20))} (${Buffer.byteLength(uid)} bytes)`, () => {
      checkUid(uid);
      assert.equal(crc32(uid), expected);
      for (const [buckets, key] of Object.entries(rowKeys)) {
        assert.equal(rowKey(uid, Number(buckets)), key);
        assert.equal(uidOfRowKey(key, Number(buckets)), uid);
      }
    });
  }

  it('has 10 buckets unless told otherwise', () => {
    assert.equal(rowKey('u1'), rowKey('u1', 10));
  });
});

describe('checkUid', () => {
  for (const { uid, why } of cases.refused) {
    it(`refuses ${why}`, () => {
      assert.throws(() => checkUid(uid), { name: QuanrenError.name, code: 'invalid_uid' });
    });
  }
});
