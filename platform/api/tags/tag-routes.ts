/** Tags: list, get, put, delete. If-Match is honoured where it is sent. */
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { requireValidTag, type TagChange } from '../../../catalog/tags.js';
import type { TagDefinition } from '../../../catalog/types.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { createDiagnostic } from '../../../rules/index.js';
import type { App } from '../../http/app-types.js';
import { nameOf } from '../../http/authentication.js';
import { CODE_KEY, toPageRequest, toPageView } from '../../http/paging.js';
import { expectVersion, readPrecondition, toEntityTag } from '../../http/preconditions.js';
import {
  BODY_PROBLEMS,
  PagingProperties,
  PreconditionHeaders,
  pageOf,
  problems,
  versioned,
} from '../../http/schemas.js';
import type { PlatformServices } from '../../services.js';
import { findOrUndefined } from '../find-or-undefined.js';
import { TagBody, TagFilter, TagParams, TagView, toTagDefinition, toTagView } from './tag-schemas.js';

export function addTagRoutes(app: App, { catalog, warehouse }: PlatformServices): void {
  const requireReadable = async (definition: TagDefinition): Promise<void> => {
    const conflict = await warehouse.findTypeConflict(requireValidTag(definition));
    if (conflict === null) return;
    const hint = 'Declare the type that the column has.';
    const diagnostics = [createDiagnostic('invalid_tag', '/sourceType', conflict, hint)];
    throw new QuanrenError('invalid_tag', conflict, { extra: { diagnostics } });
  };
  const changeOf = async (request: FastifyRequest, tagCode: string): Promise<TagChange> => {
    const precondition = readPrecondition(request.headers);
    const principal = nameOf(request);
    if (precondition.kind === 'none') return { principal, expected: 'any' };
    const current = await findOrUndefined(() => catalog.tags.get(tagCode));
    return { principal, expected: expectVersion(precondition, current?.version) };
  };

  app.get(
    '/tags',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Tags by code',
        tags: ['tags'],
        querystring: Type.Object({ ...PagingProperties, ...TagFilter }),
        response: { 200: pageOf(TagView), ...problems('400') },
      },
    },
    async ({ query }) =>
      toPageView(await catalog.tags.list(toPageRequest(query, CODE_KEY), query), toTagView),
  );

  app.get(
    '/tags/:tagCode',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'One tag',
        tags: ['tags'],
        params: TagParams,
        response: { 200: versioned(TagView), ...problems('400', '404') },
      },
    },
    async ({ params }, reply) => {
      const tag = await catalog.tags.get(params.tagCode);
      reply.header('ETag', toEntityTag(tag.version));
      return toTagView(tag);
    },
  );

  app.put(
    '/tags/:tagCode',
    {
      config: { scope: 'tags:write' },
      schema: {
        summary: 'Create or replace a tag',
        tags: ['tags'],
        params: TagParams,
        body: TagBody,
        headers: PreconditionHeaders,
        response: {
          200: versioned(TagView),
          201: versioned(TagView),
          ...BODY_PROBLEMS,
          ...problems('409', '412', '422'),
        },
      },
    },
    async (request, reply) => {
      const { tagCode } = request.params;
      const change = await changeOf(request, tagCode);
      const definition = toTagDefinition(tagCode, request.body);
      await requireReadable(definition);
      const { tag, isNew } = await catalog.tags.save(definition, change);
      reply.code(isNew ? 201 : 200).header('ETag', toEntityTag(tag.version));
      return toTagView(tag);
    },
  );

  app.delete(
    '/tags/:tagCode',
    {
      config: { scope: 'tags:write' },
      schema: {
        summary: 'Delete a tag that no rule reads',
        tags: ['tags'],
        params: TagParams,
        headers: PreconditionHeaders,
        response: { 204: Type.Null(), ...BODY_PROBLEMS, ...problems('404', '409', '412') },
      },
    },
    async (request, reply) => {
      const { tagCode } = request.params;
      await catalog.tags.delete(tagCode, await changeOf(request, tagCode));
      return reply.code(204).send(null);
    },
  );
}
