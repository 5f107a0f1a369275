/**
 * Crowd runs: asked for, queued in the catalog, executed one batch at a time. What a killed process left unfinished is
 * executed again at the next start, oldest first.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Catalog } from '../../catalog/catalog.js';
import type { CrowdRun } from '../../catalog/types.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { RunRequest, RunService } from '../services.js';
import { dayOfBusinessDate } from '../warehouse/business-date.js';
import { executeBatch } from './execute-batch.js';
import { executeDeletion } from './execute-deletion.js';
import type { RunTools } from './run-tools.js';

export interface CrowdRunsOptions extends Omit<RunTools, 'onStep'> {
  /** Hears of executions that ended in an error, which their runs tell people of in a sentence. */
  readonly onError: (error: unknown, runs: readonly CrowdRun[]) => void;
  readonly onStep?: RunTools['onStep'];
}

/** Runs that may be unfinished; more are refused. */
const MAX_UNFINISHED = 1_000;
const PAGE = 1_000;
/**
 * A deletion that did not come through is tried again after these, a restart of Postgres among them, while the other
 * runs wait; then at the next start.
 */
const DELETION_PAUSES_MS = [1_000, 10_000];
/** Between tries to tell of changes that the store has already. */
const FIRST_TELLING_PAUSE_MS = 100;
const LONGEST_TELLING_PAUSE_MS = 2_000;

class Stopping extends Error {}

export class CrowdRuns implements RunService {
  readonly #options: CrowdRunsOptions;
  readonly #tools: RunTools;
  readonly #stop = new AbortController();
  #last: Promise<void> = Promise.resolve();
  /** The bus did not take what the store has already. */
  #isRefused = false;
  /** Runs go on that an earlier process may have ended between writing and telling. */
  #isResuming = false;

  constructor(options: CrowdRunsOptions) {
    this.#options = options;
    this.#tools = {
      ...options,
      bus: { publish: (topic, messages) => this.#tell(() => options.bus.publish(topic, messages)) },
      onStep: (step) => {
        options.onStep?.(step);
        if (this.#stop.signal.aborted) throw new Stopping();
      },
    };
  }

  /** Executes what an earlier process left unfinished. Call it once, before the first `start`. */
  async resume(): Promise<void> {
    const batches = new Map<string, CrowdRun[]>();
    const unfinished = await this.#options.catalog.runs.unfinished();
    for (const run of unfinished) batches.set(run.batchId, [...(batches.get(run.batchId) ?? []), run]);
    for (const batch of batches.values()) this.#enqueue(batch);
    // A run that has a change time may have written.
    this.#isResuming = unfinished.some(({ changeTimeMs }) => changeTimeMs !== null);
    void this.#last.then(() => {
      this.#isResuming = false;
    });
  }

  /**
   * Resolves when the runs are recorded as queued, in one batch; they go on by themselves. Throws `not_found` (crowd,
   * partition), `conflict` (a paused crowd), `overloaded` (too many unfinished runs), `bad_request`.
   */
  async start({ crowdCodes, dt, ...request }: RunRequest): Promise<readonly CrowdRun[]> {
    if (dt !== undefined) dayOfBusinessDate(dt);
    const { catalog, warehouse } = this.#options;
    const partition = await warehouse.files.profilePartition(dt);
    const codes = crowdCodes.length === 0 ? await this.#activeCrowds() : [...new Set(crowdCodes)];
    if (codes.length === 0) throw new QuanrenError('bad_request', 'There is no active crowd to run.');
    const runs = await catalog.runs.request({
      ...request,
      crowdCodes: codes,
      dt: partition.dt,
      origin: partition.origin,
      maxUnfinished: MAX_UNFINISHED,
    });
    this.#enqueue(runs);
    return runs;
  }

  async deleteCrowd(
    crowdCode: string,
    by: { readonly principal: string; readonly expected: number },
  ): Promise<CrowdRun | null> {
    const { crowds } = this.#options.catalog;
    const run = await crowds.delete(crowdCode, { ...by, maxUnfinished: MAX_UNFINISHED });
    if (run !== null) this.#enqueue([run]);
    return run;
  }

  /** Whether the store may have changes that nobody was told of: no heartbeat may vouch for caches until they are told. */
  get isBehind(): boolean {
    return this.#isRefused || this.#isResuming;
  }

  /** Resolves when every run that was started or resumed so far has ended, or is left to the next start. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** Stops after the step in hand; what is unfinished then is executed again at the next start. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#last;
  }

  /**
   * What the store has must be told, however long the bus is away: a run that gave up here would leave caches with the
   * old answers.
   */
  async #tell(publish: () => Promise<void>): Promise<void> {
    const { signal } = this.#stop;
    for (let pauseMs = FIRST_TELLING_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_TELLING_PAUSE_MS)) {
      try {
        await publish();
        this.#isRefused = false;
        return;
      } catch (error) {
        if (!isWorthRepeating(error)) throw error;
        this.#isRefused = true;
        this.#options.onError(error, []);
      }
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) throw new Stopping();
    }
  }

  async #activeCrowds(): Promise<string[]> {
    const codes = [];
    let after: string | null = null;
    do {
      const page: Awaited<ReturnType<Catalog['crowds']['list']>> = await this.#options.catalog.crowds.list(
        { limit: PAGE, after },
        { status: 'active' },
      );
      codes.push(...page.items.map(({ crowdCode }) => crowdCode));
      after = page.next;
    } while (after !== null);
    return codes;
  }

  #enqueue(runs: readonly CrowdRun[]): void {
    this.#last = this.#last.then(() => this.#execute(runs));
  }

  async #execute(runs: readonly CrowdRun[]): Promise<void> {
    const [first] = runs;
    if (first === undefined) return;
    const { dt } = first;
    const execute =
      dt === null ? () => executeDeletion(first, this.#tools) : () => executeBatch(runs, dt, this.#tools);
    const { signal } = this.#stop;
    for (const pauseMs of dt === null ? [0, ...DELETION_PAUSES_MS] : [0]) {
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted || (await this.#end(runs, execute))) return;
    }
  }

  /** Returns whether the runs have ended. */
  async #end(runs: readonly CrowdRun[], execute: () => Promise<void>): Promise<boolean> {
    try {
      await execute();
      return true;
    } catch (error) {
      if (error instanceof Stopping) return false;
      this.#options.onError(error, runs);
      const sentence =
        error instanceof QuanrenError ? error.message : 'An unexpected error; the platform’s log has more.';
      return this.#giveUp(runs, sentence);
    }
  }

  async #giveUp(runs: readonly CrowdRun[], sentence: string): Promise<boolean> {
    try {
      let haveEnded = true;
      for (const { runId } of runs)
        haveEnded = (await this.#options.catalog.runs.fail(runId, sentence)) && haveEnded;
      return haveEnded;
    } catch (error) {
      // They stay unfinished in the catalog and are executed again at the next start.
      this.#options.onError(error, runs);
      return false;
    }
  }
}

/** Not so what no bus will ever take. */
function isWorthRepeating(error: unknown): boolean {
  return error instanceof QuanrenError && error.action !== 'fix-request';
}
