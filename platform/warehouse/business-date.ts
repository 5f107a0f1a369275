/** Business dates: civil days as text, `1998-06-30`, years 0001 to 9999. They order as text. */
import { QuanrenError } from '../../errors/quanren-error.js';
import { parseDate } from '../../rules/civil.js';

/** Days since 1970-01-01. Throws `bad_request` for what is not a business date. */
export function dayOfBusinessDate(dt: string): number {
  const day = parseDate(dt);
  if (day === null)
    throw new QuanrenError('bad_request', `'${dt}' is not a business date: write it as 1998-06-30.`);
  return day;
}
