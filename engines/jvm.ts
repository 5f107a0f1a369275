/** Servers that are Java classes. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { launchServer } from './server-process.js';

export interface JavaServer {
  /** The engine's; it is the working folder. */
  readonly folder: string;
  readonly logFile: string;
  /** Folders, or folders of jars as `…/*`. */
  readonly classPath: readonly string[];
  readonly mainClass: string;
  readonly args: readonly string[];
  readonly heapMib: number;
  readonly flags?: readonly string[];
}

/** The arguments of `java`. */
export function javaArguments({
  folder,
  classPath,
  mainClass,
  args,
  heapMib,
  flags = [],
}: JavaServer): string[] {
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

/** The pid. */
export function launchJava(server: JavaServer): number {
  return launchServer('java', javaArguments(server), server);
}
