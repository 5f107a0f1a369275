import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { openLog } from './server-log.js';

export interface ProgramOptions {
  /** It is the working folder. */
  readonly folder: string;
  /** What the program writes to stdout and stderr is added to it. */
  readonly logFile: string;
  /** After this it gets SIGKILL. */
  readonly withinMs: number;
}

/** Runs a program to its end; resolves with why it failed (`exit 1`, `SIGKILL`, `spawn … ENOENT`), undefined where it did not. */
export async function runProgram(
  file: string,
  args: readonly string[],
  { folder, logFile, withinMs }: ProgramOptions,
): Promise<string | undefined> {
  const log = openLog(logFile);
  const child = spawn(file, args, {
    cwd: folder,
    stdio: ['ignore', log, log],
    timeout: withinMs,
    killSignal: 'SIGKILL',
  });
  closeSync(log);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `${signal ?? `exit ${code}`}`));
  });
}
