/** Why a system call or `fetch` failed, in a word: the code (`ENOENT`, `ECONNREFUSED`) where there is one. */
export function reasonOf(error: unknown): string {
  // `fetch` hides the reason in the cause of its error.
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(inner instanceof Error)) return String(inner);
  return (inner as NodeJS.ErrnoException).code?.toString() ?? inner.message;
}
