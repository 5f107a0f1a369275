/**
 * Tells the processes of one machine that something was published: whoever publishes writes a byte to a file, which
 * the others watch. A ring may be lost (the watch could not be set, or its queue ran over), so who listens must look
 * by itself now and then.
 */
import { closeSync, constants, type FSWatcher, openSync, watch, writeSync } from 'node:fs';

const BYTE = Buffer.of(0);

export class Doorbell {
  readonly #file: string;
  readonly #fd: number;
  readonly #listeners = new Set<() => void>();
  #watcher: FSWatcher | undefined;

  constructor(file: string) {
    this.#file = file;
    this.#fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o644);
  }

  ring(): void {
    writeSync(this.#fd, BYTE, 0, 1, 0);
    this.#notify();
  }

  /** Calls `listener` at every ring, of this process too; returns what ends that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    this.#watcher ??= this.#watch();
    return () => this.#listeners.delete(listener);
  }

  #watch(): FSWatcher | undefined {
    try {
      // Without a watch, those who listen still look by themselves.
      return watch(this.#file, () => this.#notify()).on('error', () => undefined);
    } catch {
      return undefined;
    }
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }

  close(): void {
    this.#listeners.clear();
    this.#watcher?.close();
    closeSync(this.#fd);
  }
}
