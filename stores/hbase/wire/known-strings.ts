/**
 * Byte strings that come again and again, as the columns of rows do: each is made once, and found again by its bytes.
 * It only remembers: of two strings with the same place the later one stays, so its size is bounded.
 */
import type { ByteString } from './byte-string.js';

/** A power of 2. */
const PLACES = 1_024;
/** Longer ones are seldom met again. */
const MAX_LENGTH = 64;
/** FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
const [FNV_OFFSET, FNV_PRIME] = [0x811c_9dc5, 0x0100_0193];

export class KnownStrings {
  readonly #strings: ByteString[] = new Array<ByteString>(PLACES).fill('' as ByteString);

  /** The bytes `buffer[start … end)`. */
  read(buffer: Buffer, start: number, end: number): ByteString {
    if (end - start > MAX_LENGTH) return buffer.latin1Slice(start, end) as ByteString;
    let hash = FNV_OFFSET;
    for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ (buffer[i] ?? 0), FNV_PRIME);
    const place = (hash ^ (hash >>> 16)) & (PLACES - 1);
    const known = this.#strings[place];
    if (known !== undefined && isAt(known, buffer, start, end)) return known;
    const text = buffer.latin1Slice(start, end) as ByteString;
    this.#strings[place] = text;
    return text;
  }
}

function isAt(text: ByteString, buffer: Buffer, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) !== buffer[start + i]) return false;
  return true;
}
