/** `refused`: nothing was sent. `lost`: the server may have done what it was asked. `timeout`: so it may, later. */
export const CONNECTION_FAILURES = ['refused', 'lost', 'timeout'] as const;

/** There was no answer: the server could not be reached, went away, fell silent, or took too long. */
export class ConnectionError extends Error {
  readonly kind: (typeof CONNECTION_FAILURES)[number];
  /** The server has been away for a while: to try again at once would not help. */
  readonly isLasting: boolean;

  constructor(kind: ConnectionError['kind'], message: string, cause?: unknown, isLasting = false) {
    super(message, { cause });
    this.name = 'ConnectionError';
    this.kind = kind;
    this.isLasting = isLasting;
  }
}
