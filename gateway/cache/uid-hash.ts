/**
 * The hash of a uid that picks its generation slot, its bucket in the cache and its tag there: FNV-1a over the UTF-8
 * bytes, then mixed (the finaliser of "lowbias32"), because FNV's low bits are weak. Always odd, so that 0 can mean
 * "no entry"; hence 31 bits. No seed: whoever finds uids that collide gains a few lost hits, since buckets are bounded.
 */
export const HASH_START = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

export function hashByte(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, FNV_PRIME);
}

export function finishHash(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x7feb352d);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x846ca68b | 0);
  mixed ^= mixed >>> 16;
  return mixed | 1;
}

/** The hash of `bytes[from … to)`. */
export function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = HASH_START;
  for (let i = from; i < to; i++) hash = hashByte(hash, bytes[i] as number);
  return finishHash(hash);
}

export function hashUid(uid: string): number {
  const bytes = Buffer.from(uid);
  return hashBytes(bytes, 0, bytes.length);
}
