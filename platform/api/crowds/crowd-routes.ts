/** Crowds: list, get, put, versions, diff, roll back, pause, resume, delete. The ETag is the definition's version. */
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { Catalog } from '../../../catalog/catalog.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import type { App } from '../../http/app-types.js';
import { nameOf } from '../../http/authentication.js';
import { CODE_KEY, NUMBER_KEY, toPageRequest, toPageView } from '../../http/paging.js';
import { expectVersion, readPrecondition, toEntityTag } from '../../http/preconditions.js';
import {
  BODY_PROBLEMS,
  followed,
  Id,
  PagingProperties,
  PreconditionHeaders,
  pageOf,
  problems,
  versioned,
} from '../../http/schemas.js';
import { parseCron } from '../../schedule/cron-expression.js';
import type { PlatformServices } from '../../services.js';
import { findOrUndefined } from '../find-or-undefined.js';
import { RunView, runLocation, toRunView } from '../runs/run-schemas.js';
import {
  CrowdBody,
  CrowdParams,
  CrowdView,
  DiffView,
  RollBackBody,
  Status,
  toCrowdDefinition,
  toCrowdView,
  toVersionView,
  VersionParams,
  VersionView,
} from './crowd-schemas.js';
import { diffVersions } from './diff-versions.js';

const READ_PROBLEMS = problems('400', '404');
const WRITE_PROBLEMS = { ...BODY_PROBLEMS, ...problems('404', '409', '412', '422', '428') };

export function addCrowdRoutes(app: App, { catalog, runs }: PlatformServices): void {
  addReading(app, catalog);
  addWriting(app, catalog, runs);
  addSwitching(app, catalog);
}

function addReading(app: App, catalog: Catalog): void {
  app.get(
    '/crowds',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Crowds by code',
        tags: ['crowds'],
        querystring: Type.Object({ ...PagingProperties, status: Type.Optional(Status) }),
        response: { 200: pageOf(CrowdView), ...READ_PROBLEMS },
      },
    },
    async ({ query }) =>
      toPageView(await catalog.crowds.list(toPageRequest(query, CODE_KEY), query), toCrowdView),
  );

  app.get(
    '/crowds/:crowdCode',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One crowd',
        tags: ['crowds'],
        params: CrowdParams,
        response: { 200: versioned(CrowdView), ...READ_PROBLEMS },
      },
    },
    async ({ params }, reply) => {
      const crowd = await catalog.crowds.get(params.crowdCode);
      reply.header('ETag', toEntityTag(crowd.version));
      return toCrowdView(crowd);
    },
  );

  app.get(
    '/crowds/:crowdCode/versions',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Every definition that a crowd ever had, newest first',
        tags: ['crowds'],
        params: CrowdParams,
        querystring: Type.Object(PagingProperties),
        response: { 200: pageOf(VersionView), ...READ_PROBLEMS },
      },
    },
    async ({ params, query }) =>
      toPageView(
        await catalog.crowds.versions(params.crowdCode, toPageRequest(query, NUMBER_KEY)),
        toVersionView,
      ),
  );

  app.get(
    '/crowds/:crowdCode/versions/:version',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One version',
        tags: ['crowds'],
        params: VersionParams,
        response: { 200: VersionView, ...READ_PROBLEMS },
      },
    },
    async ({ params }) => toVersionView(await catalog.crowds.version(params.crowdCode, params.version)),
  );

  app.get(
    '/crowds/:crowdCode/diff',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'What differs between two versions',
        tags: ['crowds'],
        params: CrowdParams,
        querystring: Type.Object({ from: Id, to: Id }),
        response: { 200: DiffView, ...READ_PROBLEMS },
      },
    },
    async ({ params, query }) => {
      const [from, to] = await Promise.all([
        catalog.crowds.version(params.crowdCode, query.from),
        catalog.crowds.version(params.crowdCode, query.to),
      ]);
      return diffVersions(from, to);
    },
  );
}

function addWriting(app: App, catalog: Catalog, runs: PlatformServices['runs']): void {
  /** The version that the request has seen; for a crowd that is there it must say one. */
  const expectedVersion = async (request: FastifyRequest, crowdCode: string): Promise<number | 'absent'> => {
    const precondition = readPrecondition(request.headers);
    const current = await findOrUndefined(() => catalog.crowds.get(crowdCode));
    return expectVersion(precondition, current?.version);
  };
  /** As above, where the crowd must be there. */
  const seenVersion = async (request: FastifyRequest, crowdCode: string): Promise<number> => {
    const { version } = await catalog.crowds.get(crowdCode);
    const expected = expectVersion(readPrecondition(request.headers), version);
    if (expected !== 'absent') return expected;
    throw new QuanrenError('precondition_failed', `The crowd ${crowdCode} exists.`);
  };

  app.put(
    '/crowds/:crowdCode',
    {
      config: { scope: 'crowds:write' },
      schema: {
        summary: 'Create a crowd, or replace the version named by If-Match',
        tags: ['crowds'],
        params: CrowdParams,
        body: CrowdBody,
        headers: PreconditionHeaders,
        response: { 200: versioned(CrowdView), 201: versioned(CrowdView), ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { crowdCode } = request.params;
      const { scheduleCron } = request.body;
      if (typeof scheduleCron === 'string') parseCron(scheduleCron);
      const { crowd, isNew } = await catalog.crowds.save(
        crowdCode,
        toCrowdDefinition(request.body, request.bodyText),
        {
          principal: nameOf(request),
          reason: request.body.reason ?? null,
          expected: await expectedVersion(request, crowdCode),
        },
      );
      reply.code(isNew ? 201 : 200).header('ETag', toEntityTag(crowd.version));
      return toCrowdView(crowd);
    },
  );

  app.post(
    '/crowds/:crowdCode/roll-back',
    {
      config: { scope: 'crowds:write' },
      schema: {
        summary: 'Make a new version with the content of an old one',
        tags: ['crowds'],
        params: CrowdParams,
        body: RollBackBody,
        headers: PreconditionHeaders,
        response: { 200: versioned(CrowdView), ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { crowdCode } = request.params;
      const crowd = await catalog.crowds.rollBack(crowdCode, request.body.version, {
        principal: nameOf(request),
        reason: request.body.reason ?? null,
        expected: await seenVersion(request, crowdCode),
      });
      reply.header('ETag', toEntityTag(crowd.version));
      return toCrowdView(crowd);
    },
  );

  app.delete(
    '/crowds/:crowdCode',
    {
      config: { scope: 'crowds:write' },
      schema: {
        summary: 'Delete a crowd that nothing needs; If-Match names the version',
        description:
          '202 where the crowd was ever computed: it matches no more, and Location is the run that takes its members out of the store. Until that is committed the code cannot be used again. 204 where there is nothing to take out.',
        tags: ['crowds'],
        params: CrowdParams,
        headers: PreconditionHeaders,
        response: { 202: followed(RunView), 204: Type.Null(), ...WRITE_PROBLEMS },
      },
    },
    async (request, reply) => {
      const { crowdCode } = request.params;
      const run = await runs.deleteCrowd(crowdCode, {
        principal: nameOf(request),
        expected: await seenVersion(request, crowdCode),
      });
      if (run === null) return reply.code(204).send(null);
      return reply.code(202).header('Location', runLocation(run)).send(toRunView(run));
    },
  );
}

function addSwitching(app: App, catalog: Catalog): void {
  for (const [verb, status] of [
    ['pause', 'paused'],
    ['resume', 'active'],
  ] as const) {
    app.post(
      `/crowds/:crowdCode/${verb}`,
      {
        config: { scope: 'crowds:write' },
        schema: {
          summary:
            verb === 'pause'
              ? 'A paused crowd does not run, and does not match'
              : 'Make a crowd active again',
          tags: ['crowds'],
          params: CrowdParams,
          response: { 200: versioned(CrowdView), ...BODY_PROBLEMS, ...READ_PROBLEMS },
        },
      },
      async (request, reply) => {
        const crowd = await catalog.crowds.setStatus(request.params.crowdCode, status, nameOf(request));
        reply.header('ETag', toEntityTag(crowd.version));
        return toCrowdView(crowd);
      },
    );
  }
}
