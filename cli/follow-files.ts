/** `tail -f` for several files at once. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 200;
const PIECE_BYTES = 64 * 1024;

/** Hands over whole lines as they are added, until the process ends. A file that was replaced is read from its start. */
export async function followFiles(
  files: readonly { readonly label: string; readonly file: string }[],
  write: (label: string, lines: string) => void,
): Promise<never> {
  const followed = files.map((each) => ({ ...each, position: sizeOf(each.file), rest: Buffer.alloc(0) }));
  for (;;) {
    for (const each of followed) {
      if (sizeOf(each.file) < each.position) each.position = 0;
      const added = readFrom(each.file, each.position);
      each.position += added.length;
      const unwritten = Buffer.concat([each.rest, added]);
      const end = unwritten.lastIndexOf('\n');
      each.rest = unwritten.subarray(end + 1);
      if (end > 0) write(each.label, unwritten.toString('utf8', 0, end));
    }
    await sleep(POLL_MS);
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** At most 64 KiB from a position on. */
function readFrom(file: string, position: number): Buffer {
  if (sizeOf(file) <= position) return Buffer.alloc(0);
  const descriptor = openSync(file, 'r');
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    return piece.subarray(0, readSync(descriptor, piece, 0, PIECE_BYTES, position));
  } finally {
    closeSync(descriptor);
  }
}
