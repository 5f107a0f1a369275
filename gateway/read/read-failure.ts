import { QuanrenError } from '../../errors/quanren-error.js';

/**
 * Why the store could not be read, for who asked: a set-up that is wrong is not theirs to mend, and they may ask again.
 * `onDefect` hears of an error that is not ours, which nobody else does.
 */
export function readFailure(error: unknown, onDefect: (error: unknown) => void): QuanrenError {
  if (!(error instanceof QuanrenError)) onDefect(error);
  if (error instanceof QuanrenError && error.code !== 'set_up') return error;
  const why = error instanceof QuanrenError ? error.message : 'The store could not be read.';
  return new QuanrenError('unavailable', why, { cause: error });
}
