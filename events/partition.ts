/** Which partition a key belongs to: CRC-32 of its UTF-8 bytes, the same for every bus and every language. */
import { crc32 } from 'node:zlib';

export function partitionOf(key: string, partitions: number): number {
  return crc32(key) % partitions;
}
