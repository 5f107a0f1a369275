/**
 * The lock of a data folder: one process at a time owns it. The lock is a small file that tells who holds it, so that
 * a command finds the running platform, and a person finds the process. A holder that was killed leaves its file
 * behind; the next one sees that no such process lives and takes over.
 */
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';

export interface LockHolder {
  readonly pid: number;
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  readonly processStart: string | null;
  /** Where the holder's platform listens; null until it does. */
  readonly platformUrl: string | null;
}

export interface FolderLock {
  /** Tells other processes where the platform listens. */
  announce(platformUrl: string): void;
  release(): void;
}

const LOCK_FILE = 'lock.json';
const TAKE_ATTEMPTS = 5;

/** Field 22 of /proc/PID/stat (proc(5)): clock ticks from boot to the start of the process. */
function readProcessStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

function isAlive(holder: LockHolder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return holder.processStart === null || holder.processStart === readProcessStart(holder.pid);
}

function readHolder(file: string): LockHolder | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as LockHolder;
  } catch {
    return null;
  }
}

/** The live process that holds the folder, or null. */
export function findLockHolder(dataDir: string): LockHolder | null {
  const holder = readHolder(path.join(dataDir, LOCK_FILE));
  return holder !== null && isAlive(holder) ? holder : null;
}

/** Throws `conflict` naming the live process that holds the folder. */
export function refuseHeldFolder(dataDir: string): void {
  const holder = findLockHolder(dataDir);
  if (holder === null) return;
  throw new QuanrenError(
    'conflict',
    `Another Quanren (process ${holder.pid}) holds ${dataDir}: stop it, or give this one a folder of its own with QUANREN_DATA_DIR.`,
  );
}

/** Moves a dead lock out of the way; if another process took the lock in between, puts that one back. */
function moveDeadLock(file: string): void {
  const moved = `${file}.dead.${process.pid}`;
  try {
    renameSync(file, moved);
    const holder = readHolder(moved);
    if (holder !== null && isAlive(holder)) linkSync(moved, file);
  } catch (error) {
    if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  } finally {
    rmSync(moved, { force: true });
  }
}

/** Takes the lock of a folder, which is made where it is missing; throws `conflict` naming the live holder. */
export function takeFolderLock(dataDir: string): FolderLock {
  mkdirSync(dataDir, { recursive: true });
  const file = path.join(dataDir, LOCK_FILE);
  const own = path.join(dataDir, `${LOCK_FILE}.${process.pid}`);
  const write = (target: string, platformUrl: string | null): void => {
    const holder: LockHolder = { pid: process.pid, processStart: readProcessStart(process.pid), platformUrl };
    writeFileSync(target, `${JSON.stringify(holder)}\n`);
  };
  write(own, null);
  try {
    for (let attempt = 0; attempt < TAKE_ATTEMPTS; attempt += 1) {
      try {
        // A hard link is made whole or not at all, and never over an existing name.
        linkSync(own, file);
        return {
          announce: (platformUrl) => {
            write(own, platformUrl);
            renameSync(own, file);
          },
          release: () => rmSync(file, { force: true }),
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      refuseHeldFolder(dataDir);
      moveDeadLock(file);
    }
    throw new QuanrenError('conflict', `The lock of ${dataDir} changes hands all the time: try again.`);
  } finally {
    if (existsSync(own)) rmSync(own);
  }
}
