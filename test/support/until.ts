import { setTimeout as sleep } from 'node:timers/promises';

type Found<T> = Exclude<Awaited<T>, undefined | false>;

/** Waits until `look` gives something else than undefined and false; rejects with what it throws, or after `withinMs`. */
export async function until<T>(
  what: string,
  look: () => T,
  withinMs = 10_000,
  everyMs = 20,
): Promise<Found<T>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found as Found<T>;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await sleep(everyMs);
  }
}
