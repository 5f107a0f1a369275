/** Many lines to standard output: in large pieces, no faster than the reader takes them. */
import { once } from 'node:events';

const PIECE_CHARACTERS = 64 * 1024;

export class LineWriter {
  #pending = '';
  #isClosed = false;

  constructor() {
    // The reader has seen enough, as `head` does: not an error.
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#isClosed = true;
    });
  }

  /** Does nobody read any more? */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  async write(line: string): Promise<void> {
    this.#pending += `${line}\n`;
    if (this.#pending.length >= PIECE_CHARACTERS) await this.flush();
  }

  /** To be called once more at the end. */
  async flush(): Promise<void> {
    const piece = this.#pending;
    this.#pending = '';
    if (piece === '' || this.#isClosed) return;
    if (process.stdout.write(piece)) return;
    // Whichever comes first; both listeners go with the signal.
    const waiting = new AbortController();
    const { signal } = waiting;
    await Promise.race([
      once(process.stdout, 'drain', { signal }),
      once(process.stdout, 'close', { signal }),
    ]).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
    waiting.abort();
  }
}
