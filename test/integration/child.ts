/** Child processes that report line by line, and are killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Child {
  readonly lines: readonly string[];
  /** Resolves with the lines once there are `count`; rejects when the child ends before, or after 30 s. */
  reported(count: number): Promise<void>;
  /** kill -9; resolves when the process is gone and all that it wrote was read. */
  kill(): Promise<void>;
}

const TIMEOUT_MS = 30_000;

/** Starts a compiled script that lies beside the test (`import.meta.url`). */
export function startChild(testUrl: string, script: string, args: readonly string[]): Child {
  const child: ChildProcess = spawn(process.execPath, [fileURLToPath(new URL(script, testUrl)), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  const output = child.stdout;
  if (output === null) throw new Error('the child has no output');
  const reader = createInterface({ input: output });
  reader.on('line', (line) => lines.push(line));
  const ended = Promise.all([once(child, 'exit'), once(reader, 'close')]);
  return {
    lines,
    reported: async (count) => {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      while (lines.length < count) {
        if (child.exitCode !== null) throw new Error(`the child ended with ${child.exitCode}`);
        await once(reader, 'line', { signal });
      }
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}
