/**
 * What fails again and again, in the log: each sentence once a minute at most, and how often it was meanwhile. An error of
 * ours says all in its sentence; of another, which is a defect, it is told where it arose.
 */
import type { Logger } from 'pino';
import { QuanrenError } from './quanren-error.js';
import { describeError, tellError } from './tell-error.js';

const AGAIN_AFTER_MS = 60_000;
/** So many sentences are told in a minute; what is more is not. */
const MAX_SENTENCES = 100;

export interface ErrorLogOptions {
  readonly log: Pick<Logger, 'error' | 'warn'>;
  /** Hears each line that is logged. */
  readonly onLine?: (line: string) => void;
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
}

export class ErrorLog {
  readonly #options: ErrorLogOptions;
  /** By sentence and place, when it was last told; the oldest first. */
  readonly #told = new Map<string, { readonly atMs: number; repeated: number }>();

  constructor(options: ErrorLogOptions) {
    this.#options = options;
  }

  /** `what` begins the line: `The outbox relay`. */
  note(what: string, error: unknown): void {
    const { log, onLine } = this.#options;
    const line = `${what} failed: ${tellError(error)}`;
    const [place = ''] = error instanceof QuanrenError ? [] : describeError(error).stack;
    const repeated = this.#take(`${line} ${place}`);
    if (repeated === undefined) return;
    if (error instanceof QuanrenError) log.warn({ repeated, code: error.code }, line);
    else log.error({ repeated, err: error }, line);
    onLine?.(line);
  }

  /** How often it was not told since it was last; undefined where it is not told now. */
  #take(key: string): number | undefined {
    const nowMs = this.#options.stopwatch();
    const last = this.#told.get(key);
    if (last !== undefined && nowMs - last.atMs < AGAIN_AFTER_MS) {
      last.repeated += 1;
      return undefined;
    }
    this.#told.delete(key);
    if (this.#told.size === MAX_SENTENCES) {
      const [oldest] = this.#told;
      if (oldest === undefined || nowMs - oldest[1].atMs < AGAIN_AFTER_MS) return undefined;
      this.#told.delete(oldest[0]);
    }
    this.#told.set(key, { atMs: nowMs, repeated: 0 });
    return last?.repeated ?? 0;
  }
}
