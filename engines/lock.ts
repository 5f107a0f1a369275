/**
 * Locks between the processes of one machine that end with their holder, however it ends: a socket with a name in
 * Linux's abstract name space (unix(7)), for which there is no file to be left behind.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../errors/quanren-error.js';

const POLL_MS = 50;

export type Release = () => void;

/** Undefined when another holds it, this process included. */
export function tryLock(name: string): Promise<Release | undefined> {
  // At most 107 bytes are a name.
  const hash = createHash('sha256').update(name).digest('hex');
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    server.listen({ path: `\0quanren-${hash}` }, () => resolve(() => void server.close()));
  });
}

/** Runs `work` while no other process runs one under this name; throws `unavailable` if that takes too long. */
export async function withLock<T>(name: string, withinMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + withinMs;
  let release = await tryLock(name);
  while (release === undefined) {
    if (Date.now() > deadline) {
      throw new QuanrenError(
        'unavailable',
        `Another process is at work on ${name}: try again when it is done.`,
      );
    }
    await sleep(POLL_MS);
    release = await tryLock(name);
  }
  try {
    return await work();
  } finally {
    release();
  }
}
