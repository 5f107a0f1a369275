import { readFileSync } from 'node:fs';
import { QuanrenError } from '../errors/quanren-error.js';
import { reasonOf } from '../errors/reason-of.js';

/** What is in a file that a setting (`QUANREN_…`) names. Throws `set_up` with setting, file and reason. */
export function readNamedFile(setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const why = reasonOf(cause);
    throw new QuanrenError(
      'set_up',
      `${setting} names ${file}, which cannot be read (${why}): name a file that is there and may be read.`,
      { cause },
    );
  }
}
