/** Runs: ask for one (202, with where to follow it), list, and see how far one is. */
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { isLoopback } from '../../../auth/exposure.js';
import type { CrowdRun } from '../../../catalog/types.js';
import type { App } from '../../http/app-types.js';
import { nameOf } from '../../http/authentication.js';
import { requireDt } from '../../http/dates.js';
import { NUMBER_KEY, toPageRequest, toPageView } from '../../http/paging.js';
import {
  BODY_PROBLEMS,
  body,
  Code,
  Dt,
  followed,
  Id,
  PagingProperties,
  pageOf,
  problems,
  text,
} from '../../http/schemas.js';
import type { PlatformServices, RunRequest } from '../../services.js';
import { type ExportPlace, prepareExportFolder } from './export-folder.js';
import { RunStatus, RunView, runLocation, toRunView } from './run-schemas.js';

const ExportBody = body({
  format: Type.Union([Type.Literal('csv'), Type.Literal('parquet')]),
  folder: Type.Optional(
    Type.Unsafe<string>({
      ...text(1_000, 1),
      description:
        'Within the export root, by default the root itself; any, where authentication is off and the caller is on the platform’s own machine.',
    }),
  ),
});
const OneRunBody = Type.Union([
  body({ dt: Type.Optional(Dt), export: Type.Optional(ExportBody) }),
  Type.Null(),
]);
const RunsBody = body({
  crowdCodes: Type.Optional(Type.Array(Code, { maxItems: 10_000, uniqueItems: true })),
  dt: Type.Optional(Dt),
  export: Type.Optional(ExportBody),
});

export interface ExportPolicy {
  readonly root: string;
  readonly authIsOn: boolean;
}

export function addRunRoutes(
  app: App,
  { catalog, runs }: PlatformServices,
  { root, authIsOn }: ExportPolicy,
): void {
  const start = async (
    request: FastifyRequest,
    crowdCodes: readonly string[],
    wanted: { readonly dt?: string; readonly export?: Static<typeof ExportBody> },
  ): Promise<readonly CrowdRun[]> => {
    const order: RunRequest = { crowdCodes, cause: 'manual', requestedBy: nameOf(request) };
    const place: ExportPlace = { root, mayLeaveRoot: !authIsOn && isLoopback(request.ip) };
    return runs.start({
      ...order,
      ...(wanted.dt === undefined ? {} : { dt: requireDt(wanted.dt) }),
      ...(wanted.export === undefined
        ? {}
        : {
            export: {
              format: wanted.export.format,
              folder: await prepareExportFolder(wanted.export.folder, place),
            },
          }),
    });
  };

  app.post(
    '/crowds/:crowdCode/runs',
    {
      config: { scope: 'crowds:run' },
      schema: {
        summary: 'Compute a crowd; Location is the run to follow',
        tags: ['runs'],
        params: Type.Object({ crowdCode: Code }),
        body: OneRunBody,
        response: { 202: followed(RunView), ...BODY_PROBLEMS, ...problems('404', '409') },
      },
    },
    async (request, reply) => {
      const [run] = await start(request, [request.params.crowdCode], request.body ?? {});
      if (run === undefined) throw new Error('a run was asked for and none was made');
      reply.code(202).header('Location', runLocation(run));
      return toRunView(run);
    },
  );

  app.post(
    '/runs',
    {
      config: { scope: 'crowds:run' },
      schema: {
        summary: 'Compute several crowds in one scan, by default all that are active',
        tags: ['runs'],
        body: RunsBody,
        response: {
          202: followed(Type.Object({ runs: Type.Array(RunView) })),
          ...BODY_PROBLEMS,
          ...problems('404', '409'),
        },
      },
    },
    async (request, reply) => {
      const started = await start(request, request.body.crowdCodes ?? [], request.body);
      const [first] = started;
      if (first !== undefined) reply.header('Location', `/runs?batchId=${first.batchId}`);
      reply.code(202);
      return { runs: started.map(toRunView) };
    },
  );

  app.get(
    '/runs',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Runs, newest first',
        tags: ['runs'],
        querystring: Type.Object({
          ...PagingProperties,
          crowdCode: Type.Optional(Code),
          status: Type.Optional(RunStatus),
          batchId: Type.Optional(Type.String({ pattern: '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' })),
        }),
        response: { 200: pageOf(RunView), ...problems('400') },
      },
    },
    async ({ query }) =>
      toPageView(await catalog.runs.list(toPageRequest(query, NUMBER_KEY), query), toRunView),
  );

  app.get(
    '/runs/:runId',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One run, with how far it is',
        tags: ['runs'],
        params: Type.Object({ runId: Id }),
        response: { 200: RunView, ...problems('400', '404') },
      },
    },
    async ({ params }) => toRunView(await catalog.runs.get(params.runId)),
  );
}
