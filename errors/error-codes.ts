/**
 * Every error that crosses an entrance (HTTP, CLI, bus), in one table: what it is called, its HTTP status, and what
 * the one who gets it must do. docs/errors.md explains each; a test holds the two together.
 */

/** What the caller must do. */
export type ErrorAction =
  | 'fix-request'
  | 'authenticate'
  | 'resolve-conflict'
  | 'retry-later'
  | 'fix-set-up'
  | 'report-bug';

export interface ErrorKind {
  /** Short, the same for every occurrence (RFC 9457 `title`). */
  readonly title: string;
  readonly status: number;
  readonly action: ErrorAction;
}

export const ERROR_KINDS = {
  bad_request: { title: 'The request is malformed', status: 400, action: 'fix-request' },
  invalid_uid: { title: 'The uid is not valid', status: 400, action: 'fix-request' },
  invalid_tag: { title: 'The tag has errors', status: 422, action: 'fix-request' },
  invalid_rule: { title: 'The rule has errors', status: 422, action: 'fix-request' },
  unauthenticated: { title: 'Credentials are missing or not valid', status: 401, action: 'authenticate' },
  forbidden: { title: 'The credentials do not allow this', status: 403, action: 'authenticate' },
  not_found: { title: 'There is no such thing', status: 404, action: 'fix-request' },
  method_not_allowed: { title: 'This path does not take that method', status: 405, action: 'fix-request' },
  conflict: {
    title: 'It was changed by someone else, or is in use',
    status: 409,
    action: 'resolve-conflict',
  },
  precondition_failed: {
    title: 'It is no longer the version you saw',
    status: 412,
    action: 'resolve-conflict',
  },
  too_large: { title: 'The request body is too large', status: 413, action: 'fix-request' },
  unsupported_media_type: {
    title: 'The content type is not one this path takes',
    status: 415,
    action: 'fix-request',
  },
  precondition_required: {
    title: 'The request must say which version it changes',
    status: 428,
    action: 'fix-request',
  },
  too_many_requests: { title: 'Too many requests', status: 429, action: 'retry-later' },
  internal: { title: 'Something in Quanren is wrong', status: 500, action: 'report-bug' },
  unavailable: { title: 'The answer could not be established', status: 503, action: 'retry-later' },
  overloaded: { title: 'The server is at its limit', status: 503, action: 'retry-later' },
  set_up: { title: 'The set-up does not allow this', status: 500, action: 'fix-set-up' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;
