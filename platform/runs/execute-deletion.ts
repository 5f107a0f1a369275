/**
 * The run that empties a deleted crowd. As with a batch, the order makes every step repeatable, so that one killed
 * anywhere and executed again ends as if it had not been:
 *
 *   1  begin     in the catalog: the change time, before anything is written
 *   2  scan      of the store → the run's membership file, which never changes: a repeat knows who had to leave and be
 *                told of, though the store knows it no longer
 *   3  store     everyone of the file leaves, as in a batch; after the store's acknowledgement, the messages
 *   4  table     the crowd's ADS table is removed
 *   5  commit    in the catalog: from here on the code may be used again
 *   6  collect   membership files that nothing rests on any more
 *
 * Who entered by an event a little ahead of this machine's clock would stay; so the change time is never before theirs.
 */
import type { CrowdRun } from '../../catalog/types.js';
import type { DuckSession } from '../warehouse/duck.js';
import { removeCrowdTable } from './crowd-tables.js';
import {
  listMembershipFiles,
  type MembershipFile,
  openMembershipFile,
  readNewestChange,
  writeStoredMembers,
} from './membership-file.js';
import { collectMembershipFiles } from './run-bases.js';
import { beginRun, type RunTools, reachStep } from './run-tools.js';
import { writeDifference } from './write-difference.js';

/** Executes an unfinished deletion. Ends with it committed. */
export async function executeDeletion({ runId }: CrowdRun, tools: RunTools): Promise<void> {
  const { catalog, warehouse, onStep } = tools;
  await warehouse.session(async (session) => {
    const begun = await beginRun(tools, runId);
    onStep('begin');
    const held = await decideLeavers(session, tools, begun);
    const run = await beginRun(tools, runId, await readNewestChange(session, held));
    const { crowdCode, changeTimeMs } = run;
    await session.run('CREATE TEMP TABLE members (uid VARCHAR, m0 INTEGER)');
    const differences = await writeDifference(session, tools, {
      runs: [run],
      crowds: [{ crowdCode, position: 0, changeTimeMs, committed: held, givenUp: [] }],
      crowdCount: 1,
    });
    await reachStep(tools, [run], 'table');
    await removeCrowdTable(warehouse.files, crowdCode);
    onStep('table');
    const left = differences.get(crowdCode)?.left ?? 0;
    await catalog.runs.commit(runId, { entered: 0, left, total: 0 });
    onStep('commit');
    await collectMembershipFiles(session, tools);
    onStep('collect');
  });
}

async function decideLeavers(session: DuckSession, tools: RunTools, run: CrowdRun): Promise<MembershipFile> {
  const { files } = tools.warehouse;
  const { batchId, crowdCode } = run;
  if (!(await listMembershipFiles(files)).includes(batchId)) {
    await reachStep(tools, [run], 'scan');
    await writeStoredMembers(session, files, batchId, crowdCode, tools.store.scanCrowd(crowdCode));
    tools.onStep('scan');
  }
  return openMembershipFile(session, files, batchId);
}
