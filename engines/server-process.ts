/**
 * One server process, which outlives the process that started it and is found again by what is recorded of it.
 *
 *   stopped ──start──▶ starting ──answers──▶ running ◀──resume── paused
 *      ▲                   │ ends: tail of log   │ └───pause──────▶┘
 *      └──stop, kill───────┴─────────────────────┘
 */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../errors/quanren-error.js';
import {
  identifyProcess,
  type ProcessIdentity,
  type ProcessState,
  readProcessState,
  readRssBytes,
  signalProcess,
} from './process-identity.js';
import { openLog, readTail } from './server-log.js';

const POLL_MS = 50;
const ASK_AGAIN_MS = 200;
const TAIL_LINES = 15;
const SIGNAL_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 5_000;

/** How one server is started, asked and stopped. */
export interface ServerRecipe {
  readonly name: string;
  readonly logFile: string;
  /** Starts it; the pid of a process that is in a session of its own and writes to the log file. */
  readonly launch: () => number | Promise<number>;
  /** One real request over its protocol: resolves when the server does its work, rejects while it does not. */
  readonly ask: (signal: AbortSignal) => Promise<void>;
  readonly answersWithinMs: number;
  /** Where a signal would not end it in order: a request that does. */
  readonly askToStop?: (signal: AbortSignal) => Promise<void>;
  /** Ends it in order; after the time, SIGKILL. */
  readonly stopSignal: NodeJS.Signals;
  readonly stopsWithinMs: number;
}

/** Starts a program whose output goes to a log and which stays when this process ends. Returns its pid. */
export function launchServer(
  file: string,
  args: readonly string[],
  options: { readonly logFile: string; readonly folder: string; readonly environment?: NodeJS.ProcessEnv },
): number {
  const log = openLog(options.logFile);
  const child = spawn(file, args, {
    cwd: options.folder,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', log, log],
    detached: true,
  });
  closeSync(log);
  // A program that is not there has no pid; its 'error' event says no more than that.
  child.on('error', () => undefined);
  child.unref();
  if (child.pid === undefined) throw new QuanrenError('set_up', `${file} cannot be run.`);
  return child.pid;
}

export class ServerProcess {
  #recipe: ServerRecipe;
  readonly #record: (identity: ProcessIdentity | undefined) => void;
  #identity: ProcessIdentity | undefined;

  /** `record` writes down which process it is, so that others find it. */
  constructor(
    recipe: ServerRecipe,
    identity: ProcessIdentity | undefined,
    record: (identity: ProcessIdentity | undefined) => void,
  ) {
    this.#recipe = recipe;
    this.#identity = identity;
    this.#record = record;
  }

  /** Takes over what another process may have changed. */
  update(recipe: ServerRecipe, identity: ProcessIdentity | undefined): void {
    this.#recipe = recipe;
    this.#identity = identity;
  }

  get name(): string {
    return this.#recipe.name;
  }

  get logFile(): string {
    return this.#recipe.logFile;
  }

  /** Of the process that was last started; it may be gone. */
  get pid(): number | undefined {
    return this.#identity?.pid;
  }

  /** `stopped`: nobody started it, or it was stopped; `dead`: it ended though nobody stopped it. */
  get state(): Exclude<ProcessState, 'gone'> | 'stopped' | 'dead' {
    if (this.#identity === undefined) return 'stopped';
    const state = readProcessState(this.#identity);
    return state === 'gone' ? 'dead' : state;
  }

  get rssBytes(): number {
    return this.#identity === undefined ? 0 : readRssBytes(this.#identity);
  }

  /** Starts it where it does not run, and does not wait for it. */
  async launch(): Promise<void> {
    if (this.state === 'running' || this.state === 'paused') return;
    const identity = identifyProcess(await this.#recipe.launch());
    this.#identity = identity;
    this.#record(identity);
  }

  /** One request; rejects when the server does not answer it as it should, or not within 5 s. */
  async ask(): Promise<void> {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    try {
      await this.#recipe.ask(signal);
    } catch (cause) {
      if (!signal.aborted) throw cause;
      throw new Error(`no answer within ${ANSWER_WITHIN_MS / 1000} s`, { cause });
    }
  }

  /** Resolves when the server answers. Rejects with the end of its log when it ends instead, or takes too long. */
  async answers(): Promise<void> {
    const { name, answersWithinMs } = this.#recipe;
    const deadline = Date.now() + answersWithinMs;
    let last: unknown;
    while (Date.now() < deadline) {
      if (this.state === 'dead' || this.state === 'stopped') {
        throw new QuanrenError('set_up', `${name} ended while it started. ${this.#tail()}`);
      }
      try {
        return await this.ask();
      } catch (error) {
        last = error;
      }
      await sleep(ASK_AGAIN_MS);
    }
    throw new QuanrenError(
      'unavailable',
      `${name} (process ${this.pid}) did not answer within ${answersWithinMs / 1000} s: ${last instanceof Error ? last.message : last}. ${this.#tail()}`,
    );
  }

  /** Ends it at once (kill -9), as a crash would; resolves when it is gone. It then counts as dead. */
  async kill(): Promise<void> {
    await this.#signal('SIGKILL', (state) => state === 'dead');
  }

  /** Stops it in its tracks (SIGSTOP): its sockets stay open, and nobody answers. Of Postgres, the postmaster. */
  async pause(): Promise<void> {
    await this.#signal('SIGSTOP', (state) => state !== 'running');
  }

  async resume(): Promise<void> {
    await this.#signal('SIGCONT', (state) => state !== 'paused');
  }

  /** Ends it in order, or by force when it does not; resolves when it is gone. Harmless when it does not run. */
  async stop(): Promise<void> {
    const { askToStop, stopSignal, stopsWithinMs } = this.#recipe;
    const identity = this.#identity;
    // A paused process hears of nothing until it goes on.
    if (identity !== undefined && signalProcess(identity, 'SIGCONT')) {
      const isAsked = askToStop?.(AbortSignal.timeout(ANSWER_WITHIN_MS)).then(
        () => true,
        () => false,
      );
      if ((await isAsked) !== true) signalProcess(identity, stopSignal);
      const isGone = () => readProcessState(identity) === 'gone';
      if (!(await waitFor(isGone, stopsWithinMs))) signalProcess(identity, 'SIGKILL');
      if (!(await waitFor(isGone, SIGNAL_WITHIN_MS))) {
        throw new QuanrenError('unavailable', `${this.name} (process ${identity.pid}) does not end.`);
      }
    }
    this.#identity = undefined;
    this.#record(undefined);
  }

  async #signal(signal: NodeJS.Signals, isDone: (state: ServerProcess['state']) => boolean): Promise<void> {
    if (this.#identity === undefined || !signalProcess(this.#identity, signal)) {
      throw new QuanrenError('conflict', `${this.name} does not run.`);
    }
    if (await waitFor(() => isDone(this.state), SIGNAL_WITHIN_MS)) return;
    throw new QuanrenError('unavailable', `${this.name} (process ${this.pid}) does not heed ${signal}.`);
  }

  #tail(): string {
    return `The end of ${this.logFile}:\n${readTail(this.logFile, TAIL_LINES)}`;
  }
}

async function waitFor(isSo: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (!isSo()) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
