import { QuanrenError } from '../../errors/quanren-error.js';

/** What `find` resolves to; undefined where it throws `not_found`. */
export async function findOrUndefined<T>(find: () => Promise<T>): Promise<T | undefined> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof QuanrenError && error.code === 'not_found') return undefined;
    throw error;
  }
}
