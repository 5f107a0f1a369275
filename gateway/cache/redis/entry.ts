/**
 * An entry as Redis holds it, bytes big-endian:
 *
 *   lease   0x01 | leased at, epoch ms: 6 | token: 16
 *   value   0x02 | leased at, epoch ms: 6 | CRC-32 (IEEE) of what follows the uid's: 4 | crowd codes, joined by commas
 *
 * The scripts write and compare all but the last two parts of a value. Another first byte is of another format, or not
 * ours, and as good as nothing. The checksum runs over the uid too, so that no value passes for another user's.
 */
import { crc32 } from 'node:zlib';

export const LEASE = 1;
export const VALUE = 2;
/** Where the token, or the checksum, begins. */
export const BODY_AT = 7;
export const TOKEN_BYTES = 16;
const CODES_AT = BODY_AT + 4;

export type Entry =
  | { readonly kind: 'lease'; readonly token: string }
  | { readonly kind: 'value'; readonly codes: readonly string[]; readonly leasedAtMs: number };

/** undefined: damaged, or not ours. */
export function decodeEntry(uid: string, bytes: Buffer): Entry | undefined {
  if (bytes[0] === LEASE && bytes.length === BODY_AT + TOKEN_BYTES) {
    return { kind: 'lease', token: bytes.toString('latin1', BODY_AT) };
  }
  if (bytes[0] !== VALUE || bytes.length < CODES_AT) return undefined;
  const codes = bytes.toString('latin1', CODES_AT);
  if (bytes.readUInt32BE(BODY_AT) !== checksum(uid, codes)) return undefined;
  return {
    kind: 'value',
    codes: codes === '' ? [] : codes.split(','),
    leasedAtMs: bytes.readUIntBE(1, 6),
  };
}

/** The checksum and the codes, which are ASCII without commas. */
export function encodeCodes(uid: string, codes: readonly string[]): Buffer {
  const text = codes.join(',');
  const bytes = Buffer.allocUnsafe(4 + text.length);
  bytes.writeUInt32BE(checksum(uid, text), 0);
  bytes.write(text, 4, 'latin1');
  return bytes;
}

export function tokenBytes(token: string): Buffer {
  return Buffer.from(token, 'latin1');
}

/** No uid has U+0000 in it. */
function checksum(uid: string, codes: string): number {
  return crc32(`${uid}\0${codes}`);
}
