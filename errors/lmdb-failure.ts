/** Of ENOSPC (errno.h), as lmdb reports it. */
const NO_SPACE = 28;

/**
 * What made LMDB fail, of the error that lmdb threw or rejected with. Of a commit that failed lmdb tells in two parts: an
 * error that only says so, and the reason in a promise that rejects at once, and that ends the process where nobody
 * takes it.
 */
export async function lmdbFailure(error: unknown): Promise<unknown> {
  const reason = error instanceof Error && 'commitError' in error ? error.commitError : undefined;
  return reason instanceof Promise ? reason.catch((cause: unknown) => cause) : error;
}

/** Whether the disk has no room: it goes on by itself when there is some. */
export function isDiskFull(failure: unknown): boolean {
  return failure instanceof Error && 'code' in failure && failure.code === NO_SPACE;
}

/** For a write inside of a transaction: whoever waits for that learns when the commit fails. */
export function leaveToTransaction(write: Promise<unknown>): void {
  write.catch(() => undefined);
}
