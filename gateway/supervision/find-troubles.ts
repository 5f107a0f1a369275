/** What is wrong just now with all that the gateway lives by, for the log and for the person who starts it. */
import type { WorkerView } from './protocol.js';

export interface Livelihood {
  readonly stream: {
    /** Infinite before it was first caught up with. */
    readonly stalenessMs: number;
    /** What lately failed. */
    readonly trouble: string | undefined;
  };
  readonly staleAfterMs: number;
  /** Why main does without the shared cache; undefined also where there is none. */
  readonly sharedCacheTrouble: string | undefined;
  readonly workers: Iterable<WorkerView>;
}

/** By what it is about, a few words. */
export function findTroubles(livelihood: Livelihood): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const stream = troubleOfStream(livelihood);
  if (stream !== undefined) found.set('The stream of changes', stream);
  const { sharedCacheTrouble } = livelihood;
  if (sharedCacheTrouble !== undefined) found.set('The shared cache', `not used: ${sharedCacheTrouble}`);
  for (const view of livelihood.workers) {
    if (view.sharedCacheTrouble !== undefined && sharedCacheTrouble === undefined) {
      found.set('The shared cache', `not used by every worker: ${view.sharedCacheTrouble}`);
    }
    if (view.storeTrouble !== undefined) {
      found.set('The store', `not reached yet: ${view.storeTrouble}`);
      continue;
    }
    for (const { name, isAway } of view.storeServers) {
      if (isAway) found.set(`HBase server ${name}`, 'cannot be reached, what needs it is refused');
    }
  }
  return found;
}

function troubleOfStream({ stream, staleAfterMs }: Livelihood): string | undefined {
  const { stalenessMs, trouble } = stream;
  if (stalenessMs === Number.POSITIVE_INFINITY) return trouble && `cannot be followed: ${trouble}`;
  if (stalenessMs <= staleAfterMs) return trouble && `followed, with errors: ${trouble}`;
  const why = trouble === undefined ? '' : ` (${trouble})`;
  return `silent for more than ${staleAfterMs} ms, answers are stale${why}`;
}
