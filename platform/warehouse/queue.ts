/** One piece of work at a time, the others in order behind it, and no more of them than a bound. */
import { QuanrenError } from '../../errors/quanren-error.js';

/** Runs `work` when all that came before has ended. Throws `overloaded` at once when too many wait already. */
export type Queue = <T>(work: () => Promise<T>) => Promise<T>;

/** `what` waits, in words for the error message: `loads`. */
export function createQueue(maxWaiting: number, what: string): Queue {
  let pending = 0;
  let last: Promise<unknown> = Promise.resolve();
  return async (work) => {
    if (pending > maxWaiting)
      throw new QuanrenError(
        'overloaded',
        `${maxWaiting} ${what} wait already: try again when they are done.`,
      );
    pending += 1;
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    try {
      return await mine;
    } finally {
      pending -= 1;
    }
  };
}
