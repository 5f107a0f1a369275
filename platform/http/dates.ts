import { QuanrenError } from '../../errors/quanren-error.js';
import { parseDate } from '../../rules/index.js';

/** Passes a business date on. Throws `bad_request` for one that no calendar has. */
export function requireDt<T extends string | undefined>(dt: T): T {
  if (dt !== undefined && parseDate(dt) === null) {
    throw new QuanrenError('bad_request', `There is no day ${dt}.`);
  }
  return dt;
}
