/** Text from files and from standard input, by the whole or line by line. */
import { constants } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { QuanrenError } from '../errors/quanren-error.js';

/** A line longer than this is refused: a file without line ends must not fill the memory. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/** The whole of a file as text, or of standard input where the name is `-`. */
export async function readText(source: string): Promise<string> {
  try {
    const bytes = source === '-' ? await buffer(process.stdin) : await readFile(source);
    if (bytes.length > constants.MAX_STRING_LENGTH) throw new Error('the file is too large');
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw unreadable(source, error);
  }
}

/** The lines of a file (or of standard input, `-`) with their 1-based numbers; memory holds one at a time. */
export async function* readLines(source: string): AsyncGenerator<{ text: string; line: number }> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes: Uint8Array, line: number) => {
    try {
      return { text: decoder.decode(bytes), line };
    } catch {
      throw new QuanrenError('bad_request', `${source}:${line} is not UTF-8. Store the file as UTF-8.`);
    }
  };
  let line = 1;
  let started: Uint8Array[] = [];
  let startedBytes = 0;
  try {
    for await (const chunk of source === '-' ? process.stdin : createReadStream(source)) {
      const bytes: Buffer = chunk;
      let from = 0;
      for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
        yield decode(Buffer.concat([...started, bytes.subarray(from, end)]), line);
        line += 1;
        started = [];
        startedBytes = 0;
        from = end + 1;
      }
      started.push(bytes.subarray(from));
      startedBytes += bytes.length - from;
      if (startedBytes > MAX_LINE_BYTES) {
        throw new QuanrenError('bad_request', `${source}:${line} is longer than ${MAX_LINE_BYTES} bytes.`);
      }
    }
  } catch (error) {
    throw unreadable(source, error);
  }
  if (startedBytes > 0) yield decode(Buffer.concat(started), line);
}

/** To begin a sentence with. */
export function nameOf(source: string): string {
  return source === '-' ? 'Standard input' : `The file ${source}`;
}

function unreadable(source: string, error: unknown): unknown {
  if (error instanceof QuanrenError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new QuanrenError('bad_request', `${nameOf(source)} cannot be read: ${reason}.`, { cause: error });
}
