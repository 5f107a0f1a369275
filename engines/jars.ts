/**
 * The files of an engine, as its pom names them, from the user's Maven (whose settings say which mirror to ask):
 *
 *   <cache>/<engine>-<hash of the pom>/files/
 *
 * Fetched under another name and renamed when whole, so that a folder that is there is complete, whoever else fetches
 * at the same moment or was killed at it.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';
import { runProgram } from './run-program.js';
import { readTail } from './server-log.js';
import { requireMaven } from './tools.js';

const FETCH_WITHIN_MS = 15 * 60_000;
/** What a fetch that was killed left behind is removed by a later one. */
const LEFTOVER_AFTER_MS = 60 * 60_000;
/** As each pom has it. */
const FILES = 'files';
const UNFINISHED = 'unfinished-';

export interface EngineFiles {
  /** A folder beside this file that holds the pom. */
  readonly engine: string;
  /** `unpack` where the jar is only the parcel of something else. */
  readonly goal: 'copy-dependencies' | 'unpack-dependencies';
}

function pomOf(engine: string): string {
  return path.resolve(import.meta.dirname, '..', '..', 'engines', engine, 'pom.xml');
}

function wholeFolder(engine: string, cacheFolder: string): string {
  const hash = createHash('sha256')
    .update(readFileSync(pomOf(engine)))
    .digest('hex')
    .slice(0, 12);
  return path.join(cacheFolder, `${engine}-${hash}`);
}

/** Where the files are, once they are fetched. */
export function engineFilesFolder({ engine }: EngineFiles, cacheFolder: string): string {
  return path.join(wholeFolder(engine, cacheFolder), FILES);
}

/** Fetches the files if they are not there yet. Throws `set_up`. */
export async function fetchEngineFiles(
  { engine, goal }: EngineFiles,
  cacheFolder: string,
  onProgress: (text: string) => void,
): Promise<void> {
  const whole = wholeFolder(engine, cacheFolder);
  if (existsSync(whole)) return;
  requireMaven(`Fetching ${engine}`);
  onProgress(`Fetching ${engine} (once) …`);
  mkdirSync(cacheFolder, { recursive: true });
  removeLeftovers(cacheFolder);
  const unfinished = mkdtempSync(path.join(cacheFolder, UNFINISHED));
  try {
    copyFileSync(pomOf(engine), path.join(unfinished, 'pom.xml'));
    await runMaven(engine, unfinished, `dependency:${goal}`);
    try {
      renameSync(unfinished, whole);
    } catch (error) {
      // Another process was faster.
      if (!existsSync(whole)) throw error;
    }
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function removeLeftovers(cacheFolder: string): void {
  for (const name of readdirSync(cacheFolder)) {
    if (!name.startsWith(UNFINISHED)) continue;
    const folder = path.join(cacheFolder, name);
    const changedAt = statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    if (Date.now() - changedAt > LEFTOVER_AFTER_MS) rmSync(folder, { recursive: true, force: true });
  }
}

async function runMaven(engine: string, folder: string, goal: string): Promise<void> {
  const logFile = path.join(folder, 'maven.log');
  const args = ['--batch-mode', '--no-transfer-progress', goal];
  const failure = await runProgram('mvn', args, { folder, logFile, withinMs: FETCH_WITHIN_MS });
  if (failure === undefined) return;
  const errors = readTail(logFile, 200)
    .split('\n')
    .filter((line) => line.startsWith('[ERROR]'))
    .slice(0, 4);
  throw new QuanrenError(
    'set_up',
    `Maven could not fetch ${engine} (${failure}). It needs the network, or a mirror or local repository named in its settings.xml, this once. It says:\n${errors.join('\n')}`,
  );
}
