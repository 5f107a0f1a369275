/** One line whenever something that the gateway lives by goes wrong, goes wrong in another way, or is well again. */
import type { Logger } from 'pino';

/** Told of one thing until it is well again: what fails for several reasons in turn has a line for each, once. */
const MAX_TROUBLES = 4;

export class StateLog {
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  readonly #onNews: (line: string) => void;
  /** By what it is about, what was told of it. */
  readonly #told = new Map<string, Set<string>>();

  /** `onNews` hears each line too. */
  constructor(log: Pick<Logger, 'info' | 'warn'>, onNews: (line: string) => void) {
    this.#log = log;
    this.#onNews = onNews;
  }

  /** `troubles`: all that is wrong just now; by what it is about, a few words. */
  look(troubles: ReadonlyMap<string, string>): void {
    for (const [about, trouble] of troubles) this.#note(about, trouble);
    for (const about of this.#told.keys()) {
      if (troubles.has(about)) continue;
      this.#told.delete(about);
      this.#log.info({ about }, `${about}: well again`);
      this.#onNews(`${about}: well again`);
    }
  }

  #note(about: string, trouble: string): void {
    const told = this.#told.get(about) ?? new Set();
    if (told.has(trouble) || told.size >= MAX_TROUBLES) return;
    this.#told.set(about, told.add(trouble));
    this.#log.warn({ about }, `${about}: ${trouble}`);
    this.#onNews(`${about}: ${trouble}`);
  }
}
