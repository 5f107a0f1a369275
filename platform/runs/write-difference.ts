/**
 * The way of a difference into the store and to those who hold answers from it: the changes in batches, and after the
 * store's acknowledgement of each its messages. The same again changes nothing, and tells again what may not have been
 * told.
 */
import type { CrowdRun } from '../../catalog/types.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { MembershipMessage } from '../../events/messages.js';
import type { MembershipChange } from '../../stores/membership-store.js';
import type { DuckSession } from '../warehouse/duck.js';
import { ChangeReader, type ComparedCrowd, type CrowdDifference, compareMembers } from './membership-diff.js';
import { type RunTools, reachStep } from './run-tools.js';

/** Changes given to the store at once, and at most so many messages published at once. */
const CHANGES_PER_BATCH = 10_000;
/** Above so many users with changes, caches are told to forget everything instead of each change. */
const MAX_USERS_TOLD = 10_000;
/** While the store is written: how often progress is noted and caches hear of a refresh; well within their staleness. */
const REPORT_INTERVAL_MS = 1_000;

export interface Difference {
  /** The runs whose progress it is. */
  readonly runs: readonly CrowdRun[];
  /** What the session's table `members` is compared with, crowd by crowd. */
  readonly crowds: readonly ComparedCrowd[];
  /** That the table has bits for. */
  readonly crowdCount: number;
}

/** Makes the store say what the session's table `members` says; returns how much that was, by crowd code. */
export async function writeDifference(
  session: DuckSession,
  tools: RunTools,
  { runs, crowds, crowdCount }: Difference,
): Promise<ReadonlyMap<string, CrowdDifference>> {
  const total = await compareMembers(session, crowdCount, crowds);
  const tellsEach = total <= MAX_USERS_TOLD;
  const reader = new ChangeReader(session, crowdCount, crowds);
  let done = 0;
  let reportedMs = Number.NEGATIVE_INFINITY;
  for await (const { changes, users } of reader.batches(CHANGES_PER_BATCH)) {
    await apply(tools, changes);
    if (tellsEach) await tellEach(tools, changes);
    done += users;
    const nowMs = tools.now();
    if (nowMs - reportedMs < REPORT_INTERVAL_MS) continue;
    reportedMs = nowMs;
    if (!tellsEach) await tellRefresh(tools, crowds);
    await reachStep(tools, runs, 'store', { done, total });
  }
  if (!tellsEach) await tellRefresh(tools, crowds);
  return reader.differences;
}

async function apply({ store, now, onStep }: RunTools, changes: readonly MembershipChange[]): Promise<void> {
  const { accepted, refusedTooOld, refusedFuture } = await store.apply(changes, now());
  if (accepted !== changes.length) {
    throw new QuanrenError(
      'unavailable',
      `The store refused ${refusedTooOld} changes as too old and ${refusedFuture} as ahead of time: look at this machine’s clock, and run the crowd again.`,
    );
  }
  onStep('store');
}

/** One message per change, once the store has it. */
async function tellEach(tools: RunTools, changes: readonly MembershipChange[]): Promise<void> {
  await publish(
    tools,
    changes.map((change) => ({ key: change.uid, value: { type: 'membership-changed', ...change } })),
  );
}

/** One message per crowd, on which caches forget everything. */
async function tellRefresh(tools: RunTools, crowds: readonly ComparedCrowd[]): Promise<void> {
  await publish(
    tools,
    crowds.map(({ crowdCode, changeTimeMs }) => ({
      key: crowdCode,
      value: { type: 'crowd-refreshed', crowdCode, changeTimeMs },
    })),
  );
}

async function publish(
  { bus, onStep }: RunTools,
  messages: readonly { key: string; value: MembershipMessage }[],
): Promise<void> {
  if (messages.length === 0) return;
  await bus.publish('membership-changes', messages);
  onStep('publish');
}
