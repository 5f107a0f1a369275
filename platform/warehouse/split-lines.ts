/** A stream of bytes as its lines, in memory bounded by one piece of the stream and the longest line allowed. */
import { QuanrenError } from '../../errors/quanren-error.js';

/** Longer lines are not those of a table: the file is something else. */
const LONGEST_LINE_BYTES = 64 * 1024;
const LF = 0x0a;

function refuseLongLine(bytes: number): void {
  if (bytes > LONGEST_LINE_BYTES)
    throw new QuanrenError(
      'bad_request',
      `A line is longer than ${LONGEST_LINE_BYTES} bytes: this is no purchases file.`,
    );
}

/**
 * Lines without their LF, some at once; a CR before it stays. What follows the last LF is a line if it is not empty.
 * Throws `bad_request` for a line of more than 64 KiB.
 */
export async function* splitLines(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const piece of content) {
    const bytes = Buffer.concat([rest, piece]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      refuseLongLine(end - start);
      lines.push(bytes.subarray(start, end));
      start = end + 1;
    }
    rest = bytes.subarray(start);
    refuseLongLine(rest.length);
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) yield [rest];
}
