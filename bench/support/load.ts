/** Load of two kinds: connections that wait for each reply (wrk), and requests that come when they come. */
import path from 'node:path';
import type { LoadOrder, LoadResult } from './open-loop.js';
import { LOAD_CORE, needProgram, runOn } from './processes.js';

/** As the Lua scripts have it: `i` from 0. */
export const uidOf = (i: number): string => `u${String(i).padStart(7, '0')}`;

export interface WrkOrder {
  readonly url: string;
  /** Relative to bench/. */
  readonly script: string;
  readonly seconds: number;
  readonly connections: number;
  readonly core?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** For the script. */
  readonly args?: readonly string[];
}

export interface WrkResult {
  /** All that were answered, whatever with. */
  readonly requests: number;
  /** Of them, those with another status than 2xx or 3xx. */
  readonly refused: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const SCRIPTS = path.resolve(import.meta.dirname, '..', '..', '..', 'bench');
const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1_000 };

export function needWrk(): void {
  needProgram('wrk', 'apt install wrk');
}

/** Rejects when a connection fails. */
export async function runWrk(order: WrkOrder): Promise<WrkResult> {
  const { url, script, seconds, connections, core = LOAD_CORE, environment = {}, args = [] } = order;
  const options = [
    '-t1',
    `-c${connections}`,
    `-d${Math.ceil(seconds)}s`,
    '--latency',
    '-s',
    path.join(SCRIPTS, script),
  ];
  const output = await runOn(core, 'wrk', [...options, url, '--', ...args], environment);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  if (!(requests > 0) || output.includes('Socket errors')) throw new Error(output);
  const latencyMs = (part: string): number => {
    const [, value, unit = ''] = new RegExp(`${part}%\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? [];
    return Number(value) * (UNIT_MS[unit] ?? Number.NaN);
  };
  return {
    requests,
    refused: Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0),
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    p50Ms: latencyMs('50'),
    p99Ms: latencyMs('99'),
  };
}

/** Load that does not wait: `open-loop.ts`. */
export async function offerLoad(order: LoadOrder, core: string = LOAD_CORE): Promise<LoadResult> {
  const program = path.join(import.meta.dirname, 'open-loop.js');
  return JSON.parse(await runOn(core, process.execPath, [program, JSON.stringify(order)])) as LoadResult;
}
