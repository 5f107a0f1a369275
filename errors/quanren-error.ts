import { ERROR_KINDS, type ErrorAction, type ErrorCode } from './error-codes.js';

/** What an error may carry beside its sentence. */
export interface ErrorOptions {
  readonly cause?: unknown;
  /** More members for the problem document, for example `diagnostics`. Never secrets. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

/**
 * The one run-time error class. `message` is a full sentence for the person who gets it: what, where, what to do.
 */
export class QuanrenError extends Error {
  readonly code: ErrorCode;
  readonly extra: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.name = 'QuanrenError';
    this.code = code;
    this.extra = options.extra ?? {};
  }

  get action(): ErrorAction {
    return ERROR_KINDS[this.code].action;
  }
}

/** An RFC 9457 problem document. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ErrorCode;
  readonly [extra: string]: unknown;
}

/** The problem document of an error; what is not a QuanrenError becomes `internal` and tells nothing of its inside. */
export function toProblem(error: unknown): Problem {
  const known =
    error instanceof QuanrenError
      ? error
      : new QuanrenError('internal', 'An unexpected error; the log has more.');
  const { title, status } = ERROR_KINDS[known.code];
  return {
    ...known.extra,
    type: `urn:quanren:error:${known.code}`,
    title,
    status,
    detail: known.message,
    code: known.code,
  };
}
