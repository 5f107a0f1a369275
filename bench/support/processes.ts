/** The processes that a bench measures: which core they run on, and what they use. Needs Linux and taskset (util-linux). */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { text } from 'node:stream/consumers';

/** What is measured and what loads it have a core each. */
export const [SERVER_CORE, LOAD_CORE] = ['0', '1'] as const;
/** For `pin` and `runOn`: wherever the system likes. */
export const ANY_CORE = `0-${cpus().length - 1}`;

/** USER_HZ, which /proc counts in. */
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** User and system time that these processes have had so far, in seconds (proc(5), fields 14 and 15 of stat). */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
}

/** The same of everything that this process has started and that has ended, what that had started included (fields 16 and 17). */
export function endedCpuSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
}

/** A process and those that it has started. */
export function withChildren(pid: number): number[] {
  const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return [pid, ...children.trim().split(/\s+/).map(Number)];
}

/** Confines them to a core (or several, as taskset has it), with all their threads and what they start later. */
export function pin(pids: readonly number[], core: string): void {
  for (const pid of pids) execFileSync('taskset', ['-a', '-c', '-p', core, String(pid)], { stdio: 'ignore' });
}

/** Runs a program on a core and resolves to what it prints; meanwhile this process keeps its heartbeats going. */
export async function runOn(
  core: string,
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<string> {
  const child = spawn('taskset', ['-c', core, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${program} ended with ${String(code)}: ${output}`);
  return output;
}

/** Ends this process where a program is missing. `how`: what brings it. */
export function needProgram(program: string, how: string): void {
  if (spawnSync(program, ['--version']).error === undefined) return;
  console.error(`This bench needs ${program}: ${how}`);
  process.exit(3);
}
