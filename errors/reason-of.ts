/** Why a system call or `fetch` failed, in a word: the code (`ENOENT`, `ECONNREFUSED`) where there is one. */
export function reasonOf(error: unknown): string {
  // `fetch` hides the reason in the cause of its error.
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return String(inner);
  return (inner as NodeJS.ErrnoException).code?.toString() ?? inner.message;
}

/** What an error says, to stand within another sentence: without its full stop. */
export function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, '');
}
