/**
 * A batch of crowd runs, from the wide table to the store. The order makes every step repeatable, so that a batch
 * killed anywhere and executed again ends as if it had not been:
 *
 *   1  begin     in the catalog: each run's change time, before anything is written
 *   2  scan      one scan of the wide table for all crowds → the batch's membership file, which never changes: from
 *                here on the members are decided, whatever happens to rules and tables
 *   3  tables    each crowd's ADS table; then the exports that were asked for, which may fail without the run
 *   4  compare   with the last committed runs (and with those given up since, which may have written something)
 *   5  store     the changes, in batches; after the store's acknowledgement of each, its messages
 *   6  commit    in the catalog, crowd by crowd
 *   7  collect   membership files that nothing rests on any more
 *
 * A run for a dt older than the crowd's last committed one does 1 to 3 and 6 only. A repeat so late that the store
 * would refuse its changes gets a new change time in step 1; its members stay those of the file.
 */

import type { Catalog } from '../../catalog/catalog.js';
import type { CrowdRun, RunCounts } from '../../catalog/types.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EventBus } from '../../events/event-bus.js';
import type { MembershipMessage } from '../../events/messages.js';
import {
  LATENESS_BOUND_MS,
  type MembershipChange,
  type MembershipStore,
} from '../../stores/membership-store.js';
import type { DuckSession } from '../warehouse/duck.js';
import { readProfileColumns } from '../warehouse/tag-columns.js';
import type { Warehouse } from '../warehouse/warehouse.js';
import { compileCrowds } from './compile-crowds.js';
import { exportCrowd, writeCrowdTable } from './crowd-tables.js';
import { ChangeReader, type ComparedCrowd, type CrowdDifference, compareMembers } from './membership-diff.js';
import {
  listMembershipFiles,
  type MembershipFile,
  openMembershipFile,
  removeMembershipFile,
  writeMembershipFile,
} from './membership-file.js';

export interface BatchTools {
  readonly catalog: Pick<Catalog, 'crowds' | 'runs' | 'ruleEnvironment' | 'zone'>;
  readonly warehouse: Warehouse;
  readonly store: MembershipStore;
  readonly bus: Pick<EventBus, 'publish'>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Called after every lasting effect, with its name; what it throws ends the batch there. */
  readonly onStep: (step: string) => void;
}

/** Changes given to the store at once, and at most so many messages published at once. */
const CHANGES_PER_BATCH = 10_000;
/** Above so many users with changes, caches are told to forget everything instead of each change. */
export const MAX_USERS_TOLD = 10_000;
/** While the store is written: how often progress is noted and caches hear of a refresh; well within their staleness. */
const REPORT_INTERVAL_MS = 1_000;
/** A repeat begun later than this after the run's change time gets a new one: a day is left for the writing. */
const RENEW_AFTER_MS = LATENESS_BOUND_MS - 24 * 3_600_000;
/** Given-up runs of one crowd looked at; far more than ever follow each other. */
const MAX_GIVEN_UP = 1_000;

interface Member {
  readonly run: CrowdRun;
  /** In the batch's membership file. */
  readonly position: number;
}

/** Executes what is unfinished of a batch: `runs` have one batch id and one dt. Ends with each committed or failed. */
export async function executeBatch(runs: readonly CrowdRun[], tools: BatchTools): Promise<void> {
  await tools.warehouse.session((session) => new BatchExecution(session, tools).execute(runs));
}

class BatchExecution {
  readonly #session: DuckSession;
  readonly #tools: BatchTools;

  constructor(session: DuckSession, tools: BatchTools) {
    this.#session = session;
    this.#tools = tools;
  }

  async execute(runs: readonly CrowdRun[]): Promise<void> {
    const { catalog, onStep } = this.#tools;
    const begun = await this.#begin(runs);
    onStep('begin');
    const file = await this.#decideMembers(begun);
    if (file === null) return;
    const members = begun
      .map((run) => ({ run, position: file.crowdCodes.indexOf(run.crowdCode) }))
      .filter(({ position }) => position >= 0);
    await this.#session.run(
      'CREATE TEMP TABLE members AS SELECT * FROM read_parquet($file, hive_partitioning = false)',
      { file: file.file },
    );
    const totals = await this.#writeTables(members);
    const exportErrors = await this.#export(members);
    const differences = await this.#updateStore(
      members.filter(({ run }) => run.updatesStore === true),
      file.crowdCodes.length,
    );
    for (const { run } of members) {
      const { entered, left } = differences.get(run.crowdCode) ?? { entered: 0, left: 0 };
      const counts: RunCounts = { entered, left, total: totals.get(run.crowdCode) ?? 0 };
      await catalog.runs.commit(run.runId, counts, exportErrors.get(run.crowdCode));
      onStep(`commit ${run.crowdCode}`);
    }
    await this.#collect();
    onStep('collect');
  }

  async #begin(runs: readonly CrowdRun[]): Promise<CrowdRun[]> {
    const { catalog, now } = this.#tools;
    const begun = [];
    for (const run of runs) {
      const nowMs = now();
      begun.push(await catalog.runs.begin(run.runId, { nowMs, renewBeforeMs: nowMs - RENEW_AFTER_MS }));
    }
    return begun;
  }

  async #reach(runs: readonly CrowdRun[], step: string, progress?: { done: number; total: number }) {
    for (const run of runs) await this.#tools.catalog.runs.reachStep(run.runId, step, progress);
  }

  /** The batch's membership file; null if no crowd's rule could be compiled. Runs that could not be have failed. */
  async #decideMembers(runs: readonly CrowdRun[]): Promise<MembershipFile | null> {
    const { catalog, warehouse, onStep } = this.#tools;
    const [first] = runs;
    if (first === undefined) return null;
    const { batchId, dt } = first;
    if (!(await listMembershipFiles(warehouse.files)).includes(batchId)) {
      await this.#reach(runs, 'scan');
      const isWritten = await warehouse.files.readProfiles(dt, async ({ file }) => {
        const columns = await readProfileColumns(this.#session, file);
        const { compiled, refused } = await compileCrowds(catalog, runs, dt, columns);
        for (const { run, reason } of refused) await catalog.runs.fail(run.runId, reason);
        if (compiled.length === 0) return false;
        await writeMembershipFile(this.#session, warehouse.files, batchId, file, compiled);
        return true;
      });
      if (!isWritten) return null;
      onStep('scan');
    }
    return openMembershipFile(this.#session, warehouse.files, batchId);
  }

  async #writeTables(members: readonly Member[]): Promise<Map<string, number>> {
    const { onStep, warehouse } = this.#tools;
    const totals = new Map<string, number>();
    await this.#reach(
      members.map(({ run }) => run),
      'tables',
    );
    for (const { run, position } of members) {
      const { crowdCode, dt } = run;
      const total = await writeCrowdTable(this.#session, warehouse.files, { crowdCode, position, dt });
      totals.set(crowdCode, total);
      onStep(`table ${crowdCode}`);
    }
    return totals;
  }

  /** A sentence for each crowd whose export failed: a full disk over there is no reason to lose the run. */
  async #export(members: readonly Member[]): Promise<Map<string, string>> {
    const errors = new Map<string, string>();
    for (const { run, position } of members) {
      const { crowdCode, dt } = run;
      if (run.export === null) continue;
      try {
        await exportCrowd(this.#session, { crowdCode, position, dt }, run.export);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        errors.set(crowdCode, `The export to ${run.export.folder} failed: ${reason}`);
      }
      this.#tools.onStep(`export ${crowdCode}`);
    }
    return errors;
  }

  async #updateStore(
    members: readonly Member[],
    crowdCount: number,
  ): Promise<ReadonlyMap<string, CrowdDifference>> {
    if (members.length === 0) return new Map();
    const runs = members.map(({ run }) => run);
    await this.#reach(runs, 'compare');
    const crowds: ComparedCrowd[] = [];
    for (const member of members) crowds.push(await this.#findBases(member));
    const total = await compareMembers(this.#session, crowdCount, crowds);
    const tellsEach = total <= MAX_USERS_TOLD;
    const reader = new ChangeReader(this.#session, crowdCount, crowds);
    let done = 0;
    let reportedMs = Number.NEGATIVE_INFINITY;
    for await (const { changes, users } of reader.batches(CHANGES_PER_BATCH)) {
      await this.#apply(changes);
      if (tellsEach) await this.#tellEach(changes);
      done += users;
      const nowMs = this.#tools.now();
      if (nowMs - reportedMs < REPORT_INTERVAL_MS) continue;
      reportedMs = nowMs;
      if (!tellsEach) await this.#tellRefresh(crowds);
      await this.#reach(runs, 'store', { done, total });
    }
    if (!tellsEach) await this.#tellRefresh(crowds);
    return reader.differences;
  }

  /** The files that the store's state of the crowd may come from. */
  async #findBases({ run, position }: Member): Promise<ComparedCrowd> {
    const { crowdCode, changeTimeMs } = run;
    if (changeTimeMs === null)
      throw new QuanrenError('internal', `Run ${run.runId} has begun without a change time.`);
    const { committed, givenUp } = await this.#runsBehind(crowdCode);
    const open = (batchId: string) => openMembershipFile(this.#session, this.#tools.warehouse.files, batchId);
    const bases = { committed: null as MembershipFile | null, givenUp: [] as MembershipFile[] };
    if (committed !== null) bases.committed = await open(committed);
    for (const batchId of givenUp) bases.givenUp.push(await open(batchId));
    return { crowdCode, position, changeTimeMs, ...bases };
  }

  /** Batches: of the last committed run that updated the store, and of those given up later that may have done so. */
  async #runsBehind(crowdCode: string): Promise<{ committed: string | null; givenUp: string[] }> {
    const { catalog, warehouse } = this.#tools;
    const committed = await catalog.runs.lastCommitted(crowdCode);
    const since = committed?.changeTimeMs ?? Number.NEGATIVE_INFINITY;
    const failed = await catalog.runs.list(
      { limit: MAX_GIVEN_UP, after: null },
      { crowdCode, status: 'failed' },
    );
    // Without a membership file a run cannot have come to the store.
    const written = new Set(await listMembershipFiles(warehouse.files));
    const givenUp = failed.items.filter(
      (run) => run.updatesStore === true && (run.changeTimeMs ?? 0) > since && written.has(run.batchId),
    );
    return { committed: committed?.batchId ?? null, givenUp: givenUp.map(({ batchId }) => batchId) };
  }

  async #apply(changes: readonly MembershipChange[]): Promise<void> {
    const { store, now, onStep } = this.#tools;
    const { accepted, refusedTooOld, refusedFuture } = await store.apply(changes, now());
    if (accepted !== changes.length) {
      throw new QuanrenError(
        'unavailable',
        `The store refused ${refusedTooOld} changes as too old and ${refusedFuture} as ahead of time: run the crowd again, and look at this machine’s clock.`,
      );
    }
    onStep('store');
  }

  /** One message per change, once the store has it. */
  async #tellEach(changes: readonly MembershipChange[]): Promise<void> {
    await this.#publish(
      changes.map((change) => ({ key: change.uid, value: { type: 'membership-changed', ...change } })),
    );
  }

  /** One message per crowd, on which caches forget everything. */
  async #tellRefresh(crowds: readonly ComparedCrowd[]): Promise<void> {
    await this.#publish(
      crowds.map(({ crowdCode, changeTimeMs }) => ({
        key: crowdCode,
        value: { type: 'crowd-refreshed', crowdCode, changeTimeMs },
      })),
    );
  }

  async #publish(messages: readonly { key: string; value: MembershipMessage }[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#tools.bus.publish('membership-changes', messages);
    this.#tools.onStep('publish');
  }

  /** Removes the membership files that no crowd in them rests on. */
  async #collect(): Promise<void> {
    const { catalog, warehouse } = this.#tools;
    const unfinished = new Set((await catalog.runs.unfinished()).map(({ batchId }) => batchId));
    for (const batchId of await listMembershipFiles(warehouse.files)) {
      if (unfinished.has(batchId)) continue;
      const { crowdCodes } = await openMembershipFile(this.#session, warehouse.files, batchId);
      let isNeeded = false;
      for (const crowdCode of crowdCodes) {
        const { committed, givenUp } = await this.#runsBehind(crowdCode);
        isNeeded ||= committed === batchId || givenUp.includes(batchId);
      }
      if (!isNeeded) await removeMembershipFile(warehouse.files, batchId);
    }
  }
}
