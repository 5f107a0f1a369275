/**
 * The row key of both tables, `{salt}_{uid}`: the salt spreads sequential uids over the regions. This is the
 * TypeScript form of one function per language; all are held to `row-key.vectors.json`.
 *
 * salt = CRC-32 (IEEE 802.3, as zlib, java.util.zip and Spark SQL have it) of the uid's UTF-8 bytes, modulo the
 * number of buckets, zero-padded to the width of the largest bucket.
 */
import { crc32 } from 'node:zlib';
import { QuanrenError } from '../errors/quanren-error.js';

/** Buckets of a table for which no other number is set. */
export const DEFAULT_BUCKETS = 10;
/** A uid is 1 to 512 bytes of UTF-8. */
export const MAX_UID_BYTES = 512;

/** Half a character, which UTF-8 cannot hold. */
export function hasLoneSurrogate(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/** Throws `invalid_uid` unless `uid` is 1 to 512 bytes of UTF-8 without U+0000 and without lone surrogates. */
export function checkUid(uid: string): void {
  if (uid.length === 0) throw new QuanrenError('invalid_uid', 'The uid is empty.');
  if (uid.length > MAX_UID_BYTES || Buffer.byteLength(uid) > MAX_UID_BYTES) {
    throw new QuanrenError('invalid_uid', `The uid is longer than ${MAX_UID_BYTES} bytes of UTF-8.`);
  }
  if (uid.includes('\0')) throw new QuanrenError('invalid_uid', 'The uid contains U+0000.');
  if (hasLoneSurrogate(uid)) throw new QuanrenError('invalid_uid', 'The uid contains a lone surrogate.');
}

/** Digits of the largest bucket's number: 1 for 10 buckets, 2 for 11. */
function saltWidth(buckets: number): number {
  return String(buckets - 1).length;
}

/** The row key of a uid that `checkUid` lets pass. `buckets` ≥ 1. */
export function rowKey(uid: string, buckets: number = DEFAULT_BUCKETS): string {
  return `${String(crc32(uid) % buckets).padStart(saltWidth(buckets), '0')}_${uid}`;
}

/** The uid of a row key. */
export function uidOfRowKey(key: string, buckets: number = DEFAULT_BUCKETS): string {
  return key.slice(saltWidth(buckets) + 1);
}
