/**
 * A child process of `quanren start` that is kept alive.
 *
 *   starting ──ready──▶ up ──exit──▶ waiting ──delay over──▶ starting
 *      │ exit before the first ready: start() rejects          │
 *      └───────────────── stop() from anywhere ──▶ stopping ──▶ stopped
 *
 * A child that dies is started again after a growing delay. It says what it has to say through IPC: `{progress}`
 * while it starts, `{ready}` when it serves, `{failed}` with the sentence to show when it cannot start. A child whose
 * parent dies sees its IPC channel close and stops.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { ParentMessage } from '../config/parent.js';
import { openLog } from '../engines/server-log.js';
import { backOffMs } from '../errors/back-off.js';
import { QuanrenError } from '../errors/quanren-error.js';

const RESTART = { firstMs: 200, longestMs: 10_000 };
/** A child that lived this long starts over with the shortest delay. */
const STEADY_AFTER_MS = 30_000;

export interface SupervisedOptions {
  readonly name: string;
  /** The compiled module to run. */
  readonly module: string;
  readonly environment: NodeJS.ProcessEnv;
  /** What the child writes to stdout and stderr is added to this file. */
  readonly logFile: string;
  readonly readyWithinMs: number;
  /** After SIGTERM, before SIGKILL. */
  readonly stopWithinMs: number;
  readonly onProgress: (text: string) => void;
  /** Hears of every unexpected exit, before the child is started again. */
  readonly onDeath: (why: string, restartInMs: number) => void;
  readonly onRecovery: () => void;
}

export class SupervisedProcess {
  readonly #options: SupervisedOptions;
  #child: ChildProcess | null = null;
  #stopping = false;
  #wasReady = false;
  #deathsInARow = 0;
  #restartTimer: NodeJS.Timeout | null = null;

  constructor(options: SupervisedOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Resolves with what the child says of itself when it serves; rejects with `set_up` when it cannot start, or is not to
   * start any more.
   */
  start(): Promise<Readonly<Record<string, unknown>>> {
    if (this.#stopping) return Promise.reject(new QuanrenError('set_up', `${this.#options.name} is stopped`));
    const { name, module, environment, logFile, readyWithinMs, onProgress } = this.#options;
    return new Promise((resolve, reject) => {
      const log = openLog(logFile);
      // A process group of its own: Ctrl-C in a terminal reaches the parent alone, which stops things in order.
      const child = fork(module, [], {
        env: environment,
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
      });
      this.#child = child;
      closeSync(log);
      const startedAt = Date.now();
      let failure: string | null = null;
      const slow = setTimeout(() => {
        failure = `${name} was not ready after ${readyWithinMs / 1000} s`;
        child.kill('SIGKILL');
      }, readyWithinMs);
      child.on('message', (message: ParentMessage) => {
        if ('progress' in message) onProgress(message.progress);
        else if ('failed' in message) failure = message.failed;
        else {
          clearTimeout(slow);
          this.#wasReady = true;
          resolve(message.ready);
        }
      });
      child.on('error', (error) => {
        failure ??= error.message;
      });
      child.on('exit', (code, signal) => {
        clearTimeout(slow);
        this.#child = null;
        const why =
          failure ??
          (signal === null ? `${name} ended with exit code ${code}` : `${name} was ended by ${signal}`);
        reject(new QuanrenError('set_up', why));
        if (!this.#stopping && this.#wasReady) this.#restart(why, Date.now() - startedAt);
      });
    });
  }

  #restart(why: string, livedMs: number): void {
    this.#deathsInARow = livedMs > STEADY_AFTER_MS ? 1 : this.#deathsInARow + 1;
    const delayMs = backOffMs(RESTART, this.#deathsInARow);
    this.#options.onDeath(why, delayMs);
    this.#restartTimer = setTimeout(() => {
      // A failed restart ends in another exit event, which plans the next one.
      this.start().then(this.#options.onRecovery, () => undefined);
    }, delayMs);
  }

  /** Resolves when the child has ended; it gets SIGTERM, and SIGKILL when it takes too long. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#restartTimer !== null) clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (child === null) return;
    await new Promise<void>((resolve) => {
      const force = setTimeout(() => child.kill('SIGKILL'), this.#options.stopWithinMs);
      child.once('exit', () => {
        clearTimeout(force);
        resolve();
      });
      child.kill('SIGTERM');
    });
  }
}
