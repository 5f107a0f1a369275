import type { Page } from './types.js';

/** A page from up to `limit + 1` items: the one too many says that there is a next page. */
export function toPage<T>(items: readonly T[], limit: number, keyOf: (item: T) => string): Page<T> {
  const shown = items.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown, next: items.length > limit && last !== undefined ? keyOf(last) : null };
}
