/** What the execution of a run needs, and how each begins: a batch that computes crowds, or a deletion. */
import type { Catalog } from '../../catalog/catalog.js';
import type { CrowdRun } from '../../catalog/types.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EventBus } from '../../events/event-bus.js';
import { LATENESS_BOUND_MS, type MembershipStore } from '../../stores/membership-store.js';
import type { Warehouse } from '../warehouse/warehouse.js';

export interface RunTools {
  readonly catalog: Pick<Catalog, 'crowds' | 'runs' | 'ruleEnvironment' | 'zone'>;
  readonly warehouse: Warehouse;
  readonly store: MembershipStore;
  readonly bus: Pick<EventBus, 'publish'>;
  /** Epoch milliseconds. */
  readonly now: () => number;
  /** Called after every lasting effect, with its name; what it throws ends the execution there. */
  readonly onStep: (step: string) => void;
}

/** A repeat begun later than this after the run's change time gets a new one: a day is left for the writing. */
const RENEW_AFTER_MS = LATENESS_BOUND_MS - 24 * 3_600_000;

/** A run with its change time, which the catalog has for good. */
export type BegunRun = CrowdRun & { readonly changeTimeMs: number };

/** Begins a run, or begins it again. Its change time is `notBeforeMs` or later. */
export async function beginRun(
  { catalog, now }: RunTools,
  runId: number,
  notBeforeMs = 0,
): Promise<BegunRun> {
  const nowMs = Math.max(now(), notBeforeMs);
  const renewBeforeMs = Math.max(now() - RENEW_AFTER_MS, notBeforeMs);
  const run = await catalog.runs.begin(runId, { nowMs, renewBeforeMs });
  const { changeTimeMs } = run;
  if (changeTimeMs === null)
    throw new QuanrenError('internal', `Run ${runId} has begun without a change time.`);
  return { ...run, changeTimeMs };
}

/** Says in the catalog how far the runs are. */
export async function reachStep(
  { catalog }: RunTools,
  runs: readonly CrowdRun[],
  step: string,
  progress?: { readonly done: number; readonly total: number },
): Promise<void> {
  for (const run of runs) await catalog.runs.reachStep(run.runId, step, progress);
}
