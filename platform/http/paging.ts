/** Cursors: what clients hand back without looking inside. */
import type { Page, PageRequest } from '../../catalog/types.js';
import { QuanrenError } from '../../errors/quanren-error.js';

/** `isKey` says what the list's keys look like. Throws `bad_request` for a cursor that is none of the list's. */
export function toPageRequest(
  query: { readonly limit: number; readonly cursor?: string },
  isKey: RegExp,
): PageRequest {
  if (query.cursor === undefined) return { limit: query.limit, after: null };
  const after = Buffer.from(query.cursor, 'base64url').toString('utf8');
  if (!isKey.test(after)) throw new QuanrenError('bad_request', 'The cursor is not one that this list gave.');
  return { limit: query.limit, after };
}

export function toPageView<T, V>(page: Page<T>, toView: (item: T) => V): { items: V[]; next: string | null } {
  return {
    items: page.items.map(toView),
    next: page.next === null ? null : Buffer.from(page.next, 'utf8').toString('base64url'),
  };
}

export const CODE_KEY = /^[a-z][a-z0-9_]{0,49}$/;
export const NUMBER_KEY = /^[1-9][0-9]{0,14}$/;
