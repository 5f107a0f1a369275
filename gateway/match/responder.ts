/** What a request is answered through, counted and timed: the exchange at once, or its deferred later. */
import { QuanrenError, toProblem } from '../../errors/quanren-error.js';
import type { Endpoint, Outcome } from '../metrics/definitions.js';
import type { WorkerStats } from '../metrics/worker-stats.js';
import {
  createHead,
  type Deferred,
  type Exchange,
  type ReplyBody,
  type ReplyHead,
} from '../transport/transport.js';

export const JSON_HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' } as const;
export const OK_HEAD = createHead(200, JSON_HEADERS);
/** Seconds after which an answer that could not be given may be asked for again. */
const RETRY_AFTER_SECONDS = '1';

const OUTCOME_OF_CODE: Readonly<Record<string, Outcome>> = {
  bad_request: 'bad_request',
  invalid_uid: 'bad_request',
  unsupported_media_type: 'bad_request',
  unauthenticated: 'unauthenticated',
  forbidden: 'forbidden',
  not_found: 'not_found',
  method_not_allowed: 'method_not_allowed',
  too_large: 'too_large',
  unavailable: 'unavailable',
  overloaded: 'overloaded',
};

/** A reply that is no answer. */
export interface Failure {
  readonly head: ReplyHead;
  readonly body: ReplyBody;
  readonly outcome: Outcome;
}

/** The problem document of an error, with `headers` beside its own. */
export function createFailure(error: unknown, headers: Readonly<Record<string, string>> = {}): Failure {
  const problem = toProblem(error);
  const retry = problem.status === 503 ? { 'retry-after': RETRY_AFTER_SECONDS } : {};
  const head = createHead(problem.status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...retry,
    ...headers,
  });
  const outcome = error instanceof QuanrenError ? (OUTCOME_OF_CODE[error.code] ?? 'internal') : 'internal';
  return { head, body: JSON.stringify(problem), outcome };
}

export interface ResponderOptions {
  readonly stats: WorkerStats;
  /** Hears of each error that is not ours: the reply says of it only that the log has more. */
  readonly onDefect: (error: unknown) => void;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #endpoint: Endpoint;
  readonly #startMs = performance.now();
  #target: Exchange | Deferred;

  constructor(options: ResponderOptions, endpoint: Endpoint, target: Exchange | Deferred) {
    this.#options = options;
    this.#endpoint = endpoint;
    this.#target = target;
  }

  /** From here on the reply may come later. Does nothing the second time. */
  defer(): void {
    if ('defer' in this.#target) this.#target = this.#target.defer();
  }

  reply(head: ReplyHead, body: ReplyBody, outcome: Outcome): void {
    this.#target.reply(head, body);
    this.#options.stats.countRequest(this.#endpoint, outcome);
    this.#options.stats.observeDuration(this.#endpoint, (performance.now() - this.#startMs) / 1_000);
  }

  ok(body: ReplyBody, isStale: boolean): void {
    this.reply(OK_HEAD, body, isStale ? 'stale' : 'ok');
  }

  /** `headers`: beside those of the error's own reply. */
  fail(error: unknown, headers: Readonly<Record<string, string>> = {}): void {
    if (!(error instanceof QuanrenError)) this.#options.onDefect(error);
    this.refuse(createFailure(error, headers));
  }

  /** With what was made before: under too much load each microsecond that a refusal takes is one that an answer lacks. */
  refuse({ head, body, outcome }: Failure): void {
    this.reply(head, body, outcome);
  }
}
