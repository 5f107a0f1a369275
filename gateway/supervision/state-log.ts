/** One line in the log whenever something that the gateway lives by goes wrong, goes wrong in another way, or is well again. */
import type { Logger } from 'pino';

export class StateLog {
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  #troubles: ReadonlyMap<string, string> = new Map();

  constructor(log: Pick<Logger, 'info' | 'warn'>) {
    this.#log = log;
  }

  /** `troubles`: all that is wrong just now; by what it is about, a few words. */
  look(troubles: ReadonlyMap<string, string>): void {
    for (const [about, trouble] of troubles) {
      if (this.#troubles.get(about) !== trouble) this.#log.warn({ about }, `${about}: ${trouble}`);
    }
    for (const about of this.#troubles.keys()) {
      if (!troubles.has(about)) this.#log.info({ about }, `${about}: well again`);
    }
    this.#troubles = new Map(troubles);
  }
}
