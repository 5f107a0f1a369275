import { type Static, Type } from 'typebox';
import type { CrowdRun } from '../../../catalog/types.js';
import { Code, Dt, Instant, nullable, Origin } from '../../http/schemas.js';

export const RunStatus = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('committed'),
  Type.Literal('failed'),
]);

export const RunView = Type.Object({
  runId: Type.Integer(),
  batchId: Type.String({ description: 'Runs asked for together share one scan.' }),
  crowdCode: Code,
  ruleVersion: Type.Integer(),
  dt: nullable(Dt),
  origin: nullable(Origin),
  status: RunStatus,
  cause: Type.Union(
    [Type.Literal('manual'), Type.Literal('schedule'), Type.Literal('demo'), Type.Literal('deletion')],
    { description: 'A deletion takes the members of a deleted crowd out of the store; its dt is null.' },
  ),
  requestedBy: Type.String(),
  requestedAt: Instant,
  startedAt: nullable(Instant),
  finishedAt: nullable(Instant),
  durationMs: nullable(Type.Integer()),
  changeTimeMs: nullable(Type.Integer()),
  updatesStore: nullable(
    Type.Boolean({
      description:
        'False: only the table is written, because a committed run outranks this one: one over real users before one over synthetic ones, then the newer dt.',
    }),
  ),
  step: nullable(Type.String()),
  progress: nullable(Type.Object({ done: Type.Integer(), total: Type.Integer() })),
  counts: nullable(Type.Object({ entered: Type.Integer(), left: Type.Integer(), total: Type.Integer() })),
  error: nullable(
    Type.String({
      description:
        'Why it failed; of a committed run, why its export did; of a deletion queued again, why it did not come through.',
    }),
  ),
  export: nullable(Type.Object({ format: Type.String(), folder: Type.String() })),
});

export function toRunView(run: CrowdRun): Static<typeof RunView> {
  const { startedAt, finishedAt } = run;
  return {
    ...run,
    requestedAt: run.requestedAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    finishedAt: finishedAt?.toISOString() ?? null,
    durationMs: startedAt === null || finishedAt === null ? null : finishedAt.getTime() - startedAt.getTime(),
  };
}

/** Where a run is followed. */
export const runLocation = ({ runId }: CrowdRun): string => `/runs/${runId}`;
