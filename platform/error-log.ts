/**
 * What fails and is tried again, in the log: each sentence once a minute at most, and how often it was meanwhile. An error of
 * ours says all in its sentence; of another, which is a defect, the stack is told too.
 */
import type { FastifyBaseLogger } from 'fastify';
import { QuanrenError } from '../errors/quanren-error.js';
import { sentenceOf } from '../errors/reason-of.js';

const AGAIN_AFTER_MS = 60_000;
/** Sentences that are remembered; the oldest is forgotten first. */
const MAX_SENTENCES = 100;

export interface ErrorLogOptions {
  readonly log: Pick<FastifyBaseLogger, 'error' | 'warn'>;
  /** Hears each line that is logged. */
  readonly onLine: (line: string) => void;
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
}

export class ErrorLog {
  readonly #options: ErrorLogOptions;
  readonly #told = new Map<string, { readonly atMs: number; repeated: number }>();

  constructor(options: ErrorLogOptions) {
    this.#options = options;
  }

  /** `what` begins the line: `The outbox relay`. */
  note(what: string, error: unknown): void {
    const { log, onLine, stopwatch } = this.#options;
    const line = `${what} failed: ${sentenceOf(error)}`;
    const last = this.#told.get(line);
    if (last !== undefined && stopwatch() - last.atMs < AGAIN_AFTER_MS) {
      last.repeated += 1;
      return;
    }
    this.#told.delete(line);
    this.#told.set(line, { atMs: stopwatch(), repeated: 0 });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MAX_SENTENCES && oldest !== undefined) this.#told.delete(oldest);
    const repeated = last?.repeated ?? 0;
    if (error instanceof QuanrenError) log.warn({ repeated, code: error.code }, line);
    else log.error({ repeated, err: error }, line);
    onLine(line);
  }
}
