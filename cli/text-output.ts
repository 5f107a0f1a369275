/** Many lines to standard output: in large pieces, no faster than the reader takes them. */
import { QuanrenError } from '../errors/quanren-error.js';

const PIECE_CHARACTERS = 64 * 1024;

export class LineWriter {
  #pending = '';
  #isClosed = false;

  constructor() {
    // Each write learns of its own error; without a listener the event would end the process.
    process.stdout.on('error', () => undefined);
  }

  /** Does nobody read any more? */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  async write(line: string): Promise<void> {
    this.#pending += `${line}\n`;
    if (this.#pending.length >= PIECE_CHARACTERS) await this.flush();
  }

  /** To be called once more at the end. Throws where standard output takes no more, as on a full disk. */
  async flush(): Promise<void> {
    const piece = this.#pending;
    this.#pending = '';
    if (piece === '' || this.#isClosed) return;
    const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
      process.stdout.write(piece, resolve);
    });
    // The reader has seen enough, as `head` does: not an error.
    if (error?.code === 'EPIPE') this.#isClosed = true;
    else if (error) {
      throw new QuanrenError('set_up', `Standard output cannot be written: ${error.message}.`, {
        cause: error,
      });
    }
  }
}
