/** Servers that are Java classes. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';
import { runProgram } from './run-program.js';
import { readTail } from './server-log.js';
import { launchServer } from './server-process.js';

export interface JavaProgram {
  /** The engine's; it is the working folder. */
  readonly folder: string;
  readonly logFile: string;
  /** Folders, or folders of jars as `…/*`. */
  readonly classPath: readonly string[];
  readonly mainClass: string;
  readonly args: readonly string[];
  readonly heapMib: number;
  /** The last of two that contradict each other holds. */
  readonly flags?: readonly string[];
}

/** What can be told about the JVM of an engine's main server. */
export interface JvmOptions {
  readonly heapMib?: number;
  /** For `java`, for example `QUICK_JVM`. */
  readonly flags?: readonly string[];
}

/**
 * For servers that little is asked of, and for tests that start many: up in half the CPU time (HBase in one JVM 5 s
 * instead of 9 s), and slower under load for good.
 */
export const QUICK_JVM: readonly string[] = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

const TAIL_LINES = 15;

function javaArguments({ folder, classPath, mainClass, args, heapMib, flags = [] }: JavaProgram): string[] {
  const temporary = path.join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  return [
    `-Xmx${heapMib}m`,
    '-XX:+ExitOnOutOfMemoryError',
    // Else each leaves a file behind in the machine's folder for temporary files when it is killed.
    '-XX:-UsePerfData',
    `-Djava.io.tmpdir=${temporary}`,
    '-Djava.net.preferIPv4Stack=true',
    ...flags,
    '-cp',
    classPath.join(':'),
    mainClass,
    ...args,
  ];
}

/** Starts a server that stays when this process ends; its pid. */
export function launchJava(program: JavaProgram): number {
  return launchServer('java', javaArguments(program), program);
}

/** Runs a program to its end. Throws `set_up` with the end of its log when it fails or takes longer. */
export async function runJava(program: JavaProgram, withinMs: number): Promise<void> {
  const { folder, logFile } = program;
  const failure = await runProgram('java', javaArguments(program), { folder, logFile, withinMs });
  if (failure === undefined) return;
  throw new QuanrenError(
    'set_up',
    `${program.mainClass} failed (${failure}). The end of ${logFile}:\n${readTail(logFile, TAIL_LINES)}`,
  );
}
