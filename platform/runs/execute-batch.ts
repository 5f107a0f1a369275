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
import type { CrowdRun, RunCounts } from '../../catalog/types.js';
import type { DuckSession } from '../warehouse/duck.js';
import { readProfileColumns } from '../warehouse/tag-columns.js';
import { compileCrowds } from './compile-crowds.js';
import { exportCrowd, writeCrowdTable } from './crowd-tables.js';
import type { ComparedCrowd, CrowdDifference } from './membership-diff.js';
import {
  listMembershipFiles,
  type MembershipFile,
  openMembershipFile,
  writeMembershipFile,
} from './membership-file.js';
import { collectMembershipFiles, findBases } from './run-bases.js';
import { type BegunRun, beginRun, type RunTools, reachStep } from './run-tools.js';
import { writeDifference } from './write-difference.js';

interface Member {
  readonly run: BegunRun;
  /** In the batch's membership file. */
  readonly position: number;
}

/** Executes what is unfinished of a batch: `runs` have one batch id, and are for `dt`. Ends with each committed or failed. */
export async function executeBatch(runs: readonly CrowdRun[], dt: string, tools: RunTools): Promise<void> {
  await tools.warehouse.session((session) => new BatchExecution(session, dt, tools).execute(runs));
}

class BatchExecution {
  readonly #session: DuckSession;
  readonly #dt: string;
  readonly #tools: RunTools;

  constructor(session: DuckSession, dt: string, tools: RunTools) {
    this.#session = session;
    this.#dt = dt;
    this.#tools = tools;
  }

  async execute(runs: readonly CrowdRun[]): Promise<void> {
    const { catalog, onStep } = this.#tools;
    const begun = [];
    for (const { runId } of runs) begun.push(await beginRun(this.#tools, runId));
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
    await collectMembershipFiles(this.#session, this.#tools);
    onStep('collect');
  }

  /** The batch's membership file; null if no crowd's rule could be compiled. Runs that could not be have failed. */
  async #decideMembers(runs: readonly CrowdRun[]): Promise<MembershipFile | null> {
    const { catalog, warehouse, onStep } = this.#tools;
    const [first] = runs;
    if (first === undefined) return null;
    const { batchId } = first;
    if (!(await listMembershipFiles(warehouse.files)).includes(batchId)) {
      await reachStep(this.#tools, runs, 'scan');
      const isWritten = await warehouse.files.readProfiles(this.#dt, async ({ file }) => {
        const columns = await readProfileColumns(this.#session, file);
        const { compiled, refused } = await compileCrowds(catalog, runs, this.#dt, columns);
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
    const runs = members.map(({ run }) => run);
    await reachStep(this.#tools, runs, 'tables');
    for (const { run, position } of members) {
      const crowd = { crowdCode: run.crowdCode, position, dt: this.#dt };
      totals.set(crowd.crowdCode, await writeCrowdTable(this.#session, warehouse.files, crowd));
      onStep(`table ${crowd.crowdCode}`);
    }
    return totals;
  }

  /** A sentence for each crowd whose export failed: a full disk over there is no reason to lose the run. */
  async #export(members: readonly Member[]): Promise<Map<string, string>> {
    const errors = new Map<string, string>();
    for (const { run, position } of members) {
      const { crowdCode } = run;
      if (run.export === null) continue;
      try {
        await exportCrowd(this.#session, { crowdCode, position, dt: this.#dt }, run.export);
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
    await reachStep(this.#tools, runs, 'compare');
    const crowds: ComparedCrowd[] = [];
    for (const { run, position } of members) {
      const { crowdCode, changeTimeMs } = run;
      const bases = await findBases(this.#session, this.#tools, crowdCode);
      crowds.push({ crowdCode, position, changeTimeMs, ...bases });
    }
    return writeDifference(this.#session, this.#tools, { runs, crowds, crowdCount });
  }
}
