/** What a text must be for every engine to hold it. */

const LONE_SURROGATE = /\p{Surrogate}/u;

/** Null for a text that every engine can hold; else what it has in it that none may. */
export function findForbidden(text: string): string | null {
  if (text.includes('\0')) return 'U+0000';
  return LONE_SURROGATE.test(text) ? 'an unpaired surrogate' : null;
}

/** The codes of tags and crowds: they become names of columns, tables and paths, and Hive folds case. */
export function isCode(text: string): boolean {
  return /^[a-z][a-z0-9_]{0,49}$/.test(text);
}
