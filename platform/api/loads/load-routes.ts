/** Loads into the warehouse: ask for one (202, with where to follow it), list, and see how far one is. */
import { Readable } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import type { Catalog } from '../../../catalog/catalog.js';
import type { Load } from '../../../catalog/types.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import type { App } from '../../http/app-types.js';
import { nameOf } from '../../http/authentication.js';
import { requireDt } from '../../http/dates.js';
import { NUMBER_KEY, toPageRequest, toPageView } from '../../http/paging.js';
import {
  BODY_PROBLEMS,
  body,
  Dt,
  followed,
  Id,
  Instant,
  nullable,
  PagingProperties,
  pageOf,
  problems,
} from '../../http/schemas.js';
import type { LoadRunner } from './load-runner.js';

const FILE_TYPES = ['text/plain', 'text/csv', 'application/octet-stream'];

const File = Type.Unsafe<unknown>({ description: 'The file itself.' });

const AnyObject = Type.Object({}, { additionalProperties: true });

const LoadView = Type.Object({
  loadId: Type.Integer(),
  kind: Type.Union([Type.Literal('purchases'), Type.Literal('synthetic')]),
  request: AnyObject,
  status: Type.Union([
    Type.Literal('queued'),
    Type.Literal('running'),
    Type.Literal('done'),
    Type.Literal('failed'),
  ]),
  requestedBy: Type.String(),
  requestedAt: Instant,
  startedAt: nullable(Instant),
  finishedAt: nullable(Instant),
  progress: nullable(
    Type.Object({
      step: Type.String(),
      done: Type.Optional(Type.Integer()),
      total: Type.Optional(Type.Integer()),
    }),
  ),
  result: nullable(AnyObject),
  error: nullable(Type.String()),
});

const PurchasesQuery = Type.Object({
  fileName: Type.String({
    pattern: '^[^\\u0000-\\u001f/\\\\\\uD800-\\uDFFF]{1,200}$',
    description: 'What the raw layer records as the file’s name.',
  }),
  dt: Type.Optional(Dt),
});
const SyntheticBody = body({
  count: Type.Integer({ minimum: 1, maximum: 100_000_000 }),
  seed: Type.Integer({ minimum: 0, maximum: 2_147_483_647 }),
  dt: Type.Optional(Dt),
});

type ToView = (load: Load) => Static<typeof LoadView>;

export async function addLoadRoutes(app: App, catalog: Catalog, loads: LoadRunner): Promise<void> {
  const toView: ToView = ({ request, ...load }) => {
    const { spooled: _spooled, ...shown } = request;
    return {
      ...load,
      request: shown,
      requestedAt: load.requestedAt.toISOString(),
      startedAt: load.startedAt?.toISOString() ?? null,
      finishedAt: load.finishedAt?.toISOString() ?? null,
      progress: loads.progressOf(load.loadId) ?? null,
    };
  };

  // In a scope of its own: nowhere else is a body of these types taken, and here no other.
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(FILE_TYPES, { bodyLimit: Number.MAX_SAFE_INTEGER }, (_, payload, done) =>
      done(null, payload),
    );
    addPurchasesRoute(scope.withTypeProvider<TypeBoxTypeProvider>(), loads, toView);
  });

  app.post(
    '/loads/synthetic',
    {
      config: { scope: 'crowds:run' },
      schema: {
        summary: 'Generate synthetic users, the same for the same seed',
        tags: ['loads'],
        body: SyntheticBody,
        response: { 202: followed(LoadView), ...BODY_PROBLEMS },
      },
    },
    async (request, reply) => {
      requireDt(request.body.dt);
      const load = await loads.generateUsers(request.body, nameOf(request));
      reply.code(202).header('Location', `/loads/${load.loadId}`);
      return toView(load);
    },
  );

  app.get(
    '/loads',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Loads, newest first',
        tags: ['loads'],
        querystring: Type.Object(PagingProperties),
        response: { 200: pageOf(LoadView), ...problems('400') },
      },
    },
    async ({ query }) => toPageView(await catalog.loads.list(toPageRequest(query, NUMBER_KEY)), toView),
  );

  app.get(
    '/loads/:loadId',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One load, with how far it is',
        tags: ['loads'],
        params: Type.Object({ loadId: Id }),
        response: { 200: LoadView, ...problems('400', '404') },
      },
    },
    async ({ params }) => toView(await catalog.loads.get(params.loadId)),
  );
}

function addPurchasesRoute(app: App, loads: LoadRunner, toView: ToView): void {
  app.post(
    '/loads/purchases',
    {
      config: { scope: 'crowds:run' },
      schema: {
        summary: 'Load a purchase file; Location is the load to follow',
        tags: ['loads'],
        body: { content: Object.fromEntries(FILE_TYPES.map((type) => [type, { schema: File }])) },
        querystring: PurchasesQuery,
        response: { 202: followed(LoadView), ...BODY_PROBLEMS },
      },
    },
    async (request, reply) => {
      requireDt(request.query.dt);
      if (!(request.body instanceof Readable)) {
        throw new QuanrenError('bad_request', 'The body must be the file, and there is none.');
      }
      const load = await loads.loadPurchases(request.body, request.query, nameOf(request));
      reply.code(202).header('Location', `/loads/${load.loadId}`);
      return toView(load);
    },
  );
}
