/**
 * Bytes held in a string: each UTF-16 unit is one byte, 0 to 255 (what Node calls latin1). Row keys, families,
 * qualifiers and values are byte strings everywhere in this room, because comparing them with `<` is HBase's order of
 * rows, they are keys of a Map as they are, and Node reads and writes them faster than it does small Buffers.
 */
declare const isByteString: unique symbol;
export type ByteString = string & { readonly [isByteString]: true };

declare global {
  // Node has had these since version 4 and does not document them: `toString('latin1')` is a third slower.
  interface Buffer {
    latin1Slice(start?: number, end?: number): string;
    utf8Slice(start?: number, end?: number): string;
    latin1Write(text: string, offset: number, length: number): number;
  }
}

export const EMPTY = '' as ByteString;

/** One byte per unit, and the same as text: what needs no encoding. */
const ASCII = /^[\0-\x7f]*$/;

/** The UTF-8 bytes of a text. */
export function utf8Bytes(text: string): ByteString {
  return (ASCII.test(text) ? text : Buffer.from(text, 'utf8').latin1Slice()) as ByteString;
}

/** The text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD. */
export function utf8Text(bytes: ByteString): string {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').utf8Slice();
}

export function bytesOf(buffer: Buffer): ByteString {
  return buffer.latin1Slice() as ByteString;
}

export function bufferOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1');
}

export function joinBytes(...parts: readonly ByteString[]): ByteString {
  return parts.join('') as ByteString;
}
