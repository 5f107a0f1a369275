/** Which membership files the store's state of a crowd rests on: what a run is compared with, and what must be kept. */
import type { DuckSession } from '../warehouse/duck.js';
import type { ComparedCrowd } from './membership-diff.js';
import {
  listMembershipFiles,
  type MembershipFile,
  openMembershipFile,
  removeMembershipFile,
} from './membership-file.js';
import type { RunTools } from './run-tools.js';

type Tools = Pick<RunTools, 'catalog' | 'warehouse'>;

/** Given-up runs of one crowd looked at; far more than ever follow each other. */
const MAX_GIVEN_UP = 1_000;

/** The files that the store's state of the crowd may come from. */
export async function findBases(
  session: DuckSession,
  tools: Tools,
  crowdCode: string,
): Promise<Pick<ComparedCrowd, 'committed' | 'givenUp'>> {
  const { committed, givenUp } = await findRunsBehind(tools, crowdCode);
  const open = (batchId: string) => openMembershipFile(session, tools.warehouse.files, batchId);
  const bases = { committed: null as MembershipFile | null, givenUp: [] as MembershipFile[] };
  if (committed !== null) bases.committed = await open(committed);
  for (const batchId of givenUp) bases.givenUp.push(await open(batchId));
  return bases;
}

/** Batches: of the last committed run that updated the store, and of those given up later that may have done so. */
async function findRunsBehind(
  { catalog, warehouse }: Tools,
  crowdCode: string,
): Promise<{ committed: string | null; givenUp: string[] }> {
  const last = await catalog.runs.lastCommitted(crowdCode);
  const since = last?.changeTimeMs ?? Number.NEGATIVE_INFINITY;
  const failed = await catalog.runs.list(
    { limit: MAX_GIVEN_UP, after: null },
    { crowdCode, status: 'failed' },
  );
  // Without a membership file a run cannot have come to the store.
  const written = new Set(await listMembershipFiles(warehouse.files));
  const givenUp = failed.items.filter(
    (run) => run.updatesStore === true && (run.changeTimeMs ?? 0) > since && written.has(run.batchId),
  );
  return {
    // A deletion leaves nobody behind, so its file is no base.
    committed: last === null || last.cause === 'deletion' ? null : last.batchId,
    givenUp: givenUp.map(({ batchId }) => batchId),
  };
}

/** Removes the membership files that no crowd in them rests on. */
export async function collectMembershipFiles(session: DuckSession, tools: Tools): Promise<void> {
  const { catalog, warehouse } = tools;
  const unfinished = new Set((await catalog.runs.unfinished()).map(({ batchId }) => batchId));
  for (const batchId of await listMembershipFiles(warehouse.files)) {
    if (unfinished.has(batchId)) continue;
    const { crowdCodes } = await openMembershipFile(session, warehouse.files, batchId);
    let isNeeded = false;
    for (const crowdCode of crowdCodes) {
      const { committed, givenUp } = await findRunsBehind(tools, crowdCode);
      isNeeded ||= committed === batchId || givenUp.includes(batchId);
    }
    if (!isNeeded) await removeMembershipFile(warehouse.files, batchId);
  }
}
