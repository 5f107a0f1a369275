/** Whole numbers given on the command line. */
import { QuanrenError } from '../errors/quanren-error.js';

/** Throws `bad_request` naming the option and what it takes. */
export function readWholeNumber(option: string, text: string, min: number, max: number): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= min && number <= max) return number;
  throw new QuanrenError(
    'bad_request',
    `${option} must be a whole number from ${min} to ${max}, not '${text}'.`,
  );
}
