/**
 * What a worker knew, in a file: for one that starts while nothing else does.
 *
 *   "QRSNAP2\n" | bytes of the header, u32 | header, JSON | entries, u32 | entry … | CRC-32 (IEEE) of all before, u32
 *   entry: filled at, epoch ms, f64 | number of its set, u32 | bytes of the uid, u8 | uid
 *
 * Numbers are little-endian. The header holds the crowds, the sets of crowds, and how far the stream had been followed.
 */
import { readFileSync, statSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { CrowdChange } from '../match/crowd-catalog.js';
import type { StreamPositions } from '../stream/stream-positions.js';

const MAGIC = Buffer.from('QRSNAP2\n');
const ENTRY_BYTES = 13;
const NUMBER_BYTES = 4;
/** Larger files are not ours. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface SnapshotEntry {
  /** At most 255 bytes of UTF-8. */
  readonly uid: Uint8Array;
  /** Active ones, sorted. */
  readonly codes: readonly string[];
  /** Epoch milliseconds. */
  readonly filledAtMs: number;
}

export interface Snapshot {
  /** Everything that was published before is in it (epoch ms). */
  readonly asOfMs: number;
  /** These messages of the stream, and those before them, are in it. */
  readonly applied: StreamPositions;
  readonly crowds: readonly CrowdChange[];
  readonly entries: readonly SnapshotEntry[];
}

interface Header {
  readonly asOfMs: number;
  readonly applied: StreamPositions;
  readonly crowds: readonly CrowdChange[];
  readonly sets: readonly (readonly string[])[];
}

export function encodeSnapshot({ asOfMs, applied, crowds, entries }: Snapshot): Buffer {
  const numbers = new Map<string, number>();
  const sets: (readonly string[])[] = [];
  const numberOf = (codes: readonly string[]): number => {
    const key = codes.join();
    let number = numbers.get(key);
    if (number === undefined) {
      number = sets.push(codes) - 1;
      numbers.set(key, number);
    }
    return number;
  };
  const body = Buffer.alloc(entries.reduce((size, { uid }) => size + ENTRY_BYTES + uid.length, 0));
  let at = 0;
  for (const { uid, codes, filledAtMs } of entries) {
    at = body.writeDoubleLE(filledAtMs, at);
    at = body.writeUInt32LE(numberOf(codes), at);
    at = body.writeUInt8(uid.length, at);
    body.set(uid, at);
    at += uid.length;
  }
  const header = Buffer.from(JSON.stringify({ asOfMs, applied, crowds, sets } satisfies Header));
  const parts = [MAGIC, u32(header.length), header, u32(entries.length), body];
  return Buffer.concat([...parts, u32(parts.reduce((crc, part) => crc32(part, crc), 0))]);
}

/** undefined: damaged, or of another version. */
export function decodeSnapshot(bytes: Buffer): Snapshot | undefined {
  const end = bytes.length - NUMBER_BYTES;
  if (end < MAGIC.length + 2 * NUMBER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC))
    return undefined;
  if (crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return undefined;
  // What has its checksum was written by `encodeSnapshot`, and is as that writes it.
  let at = MAGIC.length + NUMBER_BYTES;
  const headerEnd = at + bytes.readUInt32LE(MAGIC.length);
  const { asOfMs, applied, crowds, sets } = JSON.parse(bytes.toString('utf8', at, headerEnd)) as Header;
  const count = bytes.readUInt32LE(headerEnd);
  at = headerEnd + NUMBER_BYTES;
  const entries: SnapshotEntry[] = [];
  for (let i = 0; i < count; i++) {
    const uidAt = at + ENTRY_BYTES;
    const uidEnd = uidAt + bytes.readUInt8(uidAt - 1);
    const codes = sets[bytes.readUInt32LE(at + 8)] ?? [];
    entries.push({ uid: bytes.subarray(uidAt, uidEnd), codes, filledAtMs: bytes.readDoubleLE(at) });
    at = uidEnd;
  }
  return { asOfMs, applied, crowds, entries };
}

export interface SnapshotStorage {
  /** undefined where there is none, or none that can be read. */
  read(): Snapshot | undefined;
  write(snapshot: Snapshot): Promise<void>;
}

export function createSnapshotFile(file: string): SnapshotStorage {
  return {
    read: () => {
      try {
        return statSync(file).size > MAX_BYTES ? undefined : decodeSnapshot(readFileSync(file));
      } catch {
        return undefined;
      }
    },
    // A file is there whole or not at all.
    write: async (snapshot) => {
      const unfinished = `${file}.tmp`;
      await writeFile(unfinished, encodeSnapshot(snapshot));
      await rename(unfinished, file);
    },
  };
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(NUMBER_BYTES);
  bytes.writeUInt32LE(value);
  return bytes;
}
