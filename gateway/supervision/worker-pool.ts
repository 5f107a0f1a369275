/**
 * The workers of the gateway. Each has a place; who dies, spins or falls behind is replaced in it while the others
 * serve.
 *
 *   starting ──listening──▶ serving ──exit, or killed for silence or backlog──▶ waiting ──delay over──▶ starting
 *       └───────────────── stop() from anywhere: drain, then SIGKILL ──▶ stopped
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { backOffMs } from '../../errors/back-off.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { addDeparted } from '../metrics/exposition.js';
import { STATS_SIZE } from '../metrics/worker-stats.js';
import { heldByAll, type StreamPositions } from '../stream/stream-positions.js';
import {
  DEAD_AFTER_MS,
  type FromWorker,
  type StreamStep,
  type ToWorker,
  type WorkerOptions,
  type WorkerView,
} from './protocol.js';

const LISTEN_WITHIN_MS = 30_000;
const WATCH_EVERY_MS = 250;
/** Steps a worker has not taken yet: more, and it is too slow to be right. */
const MAX_BACKLOG = 10_000;
const RESTART = { firstMs: 50, longestMs: 5_000 };
/** A worker that lived this long starts over with the shortest delay. */
const STEADY_AFTER_MS = 30_000;
/** Deaths in a row, none of them after a steady life, until the whole gateway gives up and its parent decides. */
const MAX_DEATHS_IN_A_ROW = 20;
/** Requests leave only short-lived objects: the more room those have, the fewer are copied before they die. */
const YOUNG_SPACE_MIB = 32;
/**
 * Has glibc ask for huge pages for what is big, which here is the cache: it is read all over, and with pages of 4 KiB a
 * hit waits for page tables too (docs/adr/0002-l1-cache.md). Elsewhere, and before glibc 2.35, it does nothing.
 */
const HUGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' };

/** `stuck`: silent for `DEAD_AFTER_MS`; `backlog`: too slow for the stream; `exit`, `signal`: it died by itself. */
export type DeathReason = 'stuck' | 'backlog' | 'exit' | 'signal';

export interface WorkerPoolOptions {
  readonly count: number;
  /** The compiled module to run. */
  readonly module: string;
  /** A bound on the memory of JavaScript objects; the cache lies outside of it. */
  readonly heapMib: number;
  readonly workerOptions: WorkerOptions;
  /** Everything that was told so far, for a worker that is new. */
  readonly snapshot: () => StreamStep;
  /** Whether any change was told. */
  readonly hasTold: () => boolean;
  readonly onDeath: (place: number, reason: DeathReason, detail: string) => void;
  readonly onWarning: (text: string) => void;
  readonly onGiveUp: () => void;
}

/** Times are of performance.now(): a clock that is set must not make all workers look silent. */
interface Place {
  child: ChildProcess;
  isServing: boolean;
  startedAtMs: number;
  heardAtMs: number;
  backlog: number;
  stats: Float64Array;
  /** Undefined before it has said it. */
  view: WorkerView | undefined;
  killedFor: DeathReason | undefined;
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #places = new Map<number, Place>();
  /** By place, the numbers of the workers that were there before. */
  readonly departed = new Map<number, Float64Array>();
  readonly restarts = new Map<DeathReason, number>();
  transportName = '';
  /** By place, the messages of before that its worker held when it first began. */
  readonly #held = new Map<number, StreamPositions>();
  #deathsInARow = 0;
  #isStopping = false;
  #watch: NodeJS.Timeout | undefined;
  #checkedAtMs = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Resolves when every worker listens; rejects with `set_up` when one cannot. */
  async start(): Promise<void> {
    this.#checkedAtMs = performance.now();
    this.#watch = setInterval(() => this.#checkAll(), WATCH_EVERY_MS);
    await Promise.all(Array.from({ length: this.#options.count }, (_, place) => this.#startAt(place)));
  }

  /** The last numbers of each worker that serves. */
  get stats(): ReadonlyMap<number, Float64Array> {
    return this.#ofServing(({ stats }) => stats);
  }

  /** How each worker that serves sees what it lives by; undefined before it has said so. */
  get views(): ReadonlyMap<number, WorkerView | undefined> {
    return this.#ofServing(({ view }) => view);
  }

  /** The messages from before the start that every worker holds which began with what was saved. */
  get held(): StreamPositions {
    return heldByAll([...this.#held.values()]);
  }

  get pids(): readonly number[] {
    return [...this.#places.values()].flatMap(({ child }) => child.pid ?? []);
  }

  /** Tells every worker, in the order of the calls. */
  tell(step: StreamStep): void {
    for (const place of this.#places.values()) this.#send(place, { kind: 'step', step });
  }

  /** Lets the workers finish what is in flight, for `withinMs` at the longest. */
  async stop(withinMs: number): Promise<void> {
    this.#isStopping = true;
    clearInterval(this.#watch);
    const places = [...this.#places.values()];
    const ended = Promise.all(
      places
        .filter(({ child }) => child.exitCode === null && child.signalCode === null)
        .map(({ child }) => once(child, 'exit')),
    );
    for (const place of places) this.#send(place, { kind: 'drain' });
    const isLate = new AbortController();
    await Promise.race([ended, sleep(withinMs, undefined, { signal: isLate.signal })]);
    isLate.abort();
    for (const { child } of places) child.kill('SIGKILL');
    await ended;
  }

  #ofServing<T>(pick: (place: Place) => T): ReadonlyMap<number, T> {
    const serving = [...this.#places].filter(([, place]) => place.isServing);
    return new Map(serving.map(([number, place]) => [number, pick(place)]));
  }

  #startAt(number: number): Promise<void> {
    const { module, heapMib, workerOptions, snapshot, hasTold, onWarning } = this.#options;
    const child = fork(module, [], {
      serialization: 'advanced',
      env: { ...HUGE_PAGES, ...process.env },
      execArgv: [`--max-old-space-size=${heapMib}`, `--max-semi-space-size=${YOUNG_SPACE_MIB}`],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const nowMs = performance.now();
    const place: Place = {
      child,
      isServing: false,
      startedAtMs: nowMs,
      heardAtMs: nowMs,
      backlog: 0,
      stats: new Float64Array(STATS_SIZE),
      view: undefined,
      killedFor: undefined,
    };
    this.#places.set(number, place);
    this.#send(place, { kind: 'start', options: workerOptions, place: number, mayRemember: !hasTold() });
    this.#send(place, { kind: 'step', step: snapshot() });
    return new Promise((resolve, reject) => {
      let failure: string | undefined;
      child.on('message', (message: FromWorker) => {
        place.heardAtMs = performance.now();
        if (message.kind === 'beat') {
          place.stats = message.stats;
          place.view = message.view;
        } else if (message.kind === 'failed') failure = message.message;
        else {
          if (message.warning !== undefined && number === 0) onWarning(message.warning);
          this.transportName = message.transport;
          if (message.held !== undefined) this.#held.set(number, message.held);
          place.isServing = true;
          resolve();
        }
      });
      child.on('error', (error) => {
        failure ??= error.message;
      });
      child.on('exit', (code, signal) => {
        const detail = failure ?? (signal === null ? `exit code ${code}` : `ended by ${signal}`);
        const reason = place.killedFor ?? (signal === null ? 'exit' : 'signal');
        addDeparted(this.departed, number, place.stats);
        place.stats = new Float64Array(STATS_SIZE);
        const wasServing = place.isServing;
        place.isServing = false;
        reject(new QuanrenError('set_up', failure ?? `A worker of the gateway could not start: ${detail}.`));
        this.#afterDeath(number, place, wasServing, reason, detail);
      });
    });
  }

  #afterDeath(number: number, place: Place, wasServing: boolean, reason: DeathReason, detail: string): void {
    if (this.#isStopping) return;
    // A worker that fails in the first start of all ends that start; in a restart it is tried again.
    if (!wasServing && this.#deathsInARow === 0) return;
    const wasSteady = performance.now() - place.startedAtMs > STEADY_AFTER_MS;
    this.#deathsInARow = wasSteady ? 1 : this.#deathsInARow + 1;
    this.restarts.set(reason, (this.restarts.get(reason) ?? 0) + 1);
    this.#options.onDeath(number, reason, detail);
    if (this.#deathsInARow > MAX_DEATHS_IN_A_ROW) {
      this.#options.onGiveUp();
      return;
    }
    const delayMs = backOffMs(RESTART, this.#deathsInARow);
    setTimeout(() => {
      // What fails again ends in another exit, which plans the next start.
      if (!this.#isStopping) this.#startAt(number).catch(() => undefined);
    }, delayMs);
  }

  #send(place: Place, message: ToWorker): void {
    if (!place.child.connected) return;
    place.backlog += 1;
    place.child.send(message, () => {
      place.backlog -= 1;
    });
    if (place.backlog > MAX_BACKLOG) this.#kill(place, 'backlog');
  }

  #checkAll(): void {
    const nowMs = performance.now();
    const sleptMs = nowMs - this.#checkedAtMs - WATCH_EVERY_MS;
    this.#checkedAtMs = nowMs;
    if (sleptMs > WATCH_EVERY_MS) {
      // This process itself stood still, and perhaps the machine: what the workers said meanwhile is still to be read.
      for (const place of this.#places.values()) place.heardAtMs = Math.min(nowMs, place.heardAtMs + sleptMs);
      return;
    }
    for (const place of this.#places.values()) {
      const silentMs = nowMs - place.heardAtMs;
      if (silentMs > (place.isServing ? DEAD_AFTER_MS : LISTEN_WITHIN_MS)) this.#kill(place, 'stuck');
    }
  }

  #kill(place: Place, reason: DeathReason): void {
    place.killedFor ??= reason;
    place.child.kill('SIGKILL');
  }
}
