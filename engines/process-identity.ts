/**
 * Which process is meant. A pid alone may be another process's after a while, so the time of its start goes with it:
 * whoever signals through here never meets a stranger. Linux: all of it is read from /proc (proc(5)).
 */
import { readFileSync } from 'node:fs';
import { QuanrenError } from '../errors/quanren-error.js';

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process. */
  readonly start: string;
}

export type ProcessState = 'running' | 'paused' | 'gone';

interface Stat {
  readonly state: string;
  readonly threads: number;
  readonly start: string;
}

/** Fields 3, 20 and 22 of /proc/PID/stat; the command in field 2 may hold anything, brackets too. */
function readStat(pid: number): Stat | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, threads, start] = [fields[0], Number(fields[17]), fields[19]];
  return state === undefined || start === undefined ? undefined : { state, threads, start };
}

/** Throws `set_up` where there is no /proc: without it, nothing tells a process from a later one of the same pid. */
export function requireProc(): void {
  if (readStat(process.pid) !== undefined) return;
  throw new QuanrenError('set_up', 'The engines run on Linux, with /proc mounted: this system has none.');
}

export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const stat = readStat(pid);
  return stat === undefined ? undefined : { pid, start: stat.start };
}

/**
 * One that has ended and waits for its parent to notice (Z, X) is gone, but not while other threads of it end (in a call to the
 * disk, say): they still hold its ports. T is what SIGSTOP makes.
 */
export function readProcessState({ pid, start }: ProcessIdentity): ProcessState {
  const stat = readStat(pid);
  if (stat === undefined || stat.start !== start) return 'gone';
  if (/^[ZXx]$/.test(stat.state)) return stat.threads > 1 ? 'running' : 'gone';
  return stat.state === 'T' ? 'paused' : 'running';
}

/** False when the process is gone. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (readProcessState(identity) === 'gone') return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Memory that is in RAM (VmRSS); 0 when the process is gone. */
export function readRssBytes(identity: ProcessIdentity): number {
  if (readProcessState(identity) === 'gone') return 0;
  try {
    const status = readFileSync(`/proc/${identity.pid}/status`, 'latin1');
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
