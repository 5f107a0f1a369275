import { Type } from 'typebox';
import type { Catalog } from '../../../catalog/catalog.js';
import type { App } from '../../http/app-types.js';
import { NUMBER_KEY, toPageRequest, toPageView } from '../../http/paging.js';
import { Instant, nullable, PagingProperties, pageOf, problems } from '../../http/schemas.js';

const Snapshot = nullable(Type.Object({}, { additionalProperties: true }));
const SubjectKind = Type.Union([
  Type.Literal('tag'),
  Type.Literal('crowd'),
  Type.Literal('run'),
  Type.Literal('load'),
]);
const AuditView = Type.Object({
  auditId: Type.Integer(),
  at: Instant,
  principal: Type.String(),
  action: Type.String(),
  subjectKind: SubjectKind,
  subjectKey: Type.String(),
  before: Snapshot,
  after: Snapshot,
});

export function addAuditRoutes(app: App, catalog: Catalog): void {
  app.get(
    '/audit',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Who changed what, newest first',
        tags: ['audit'],
        querystring: Type.Object({
          ...PagingProperties,
          subjectKind: Type.Optional(SubjectKind),
          subjectKey: Type.Optional(Type.String({ maxLength: 200 })),
          principal: Type.Optional(Type.String({ maxLength: 200 })),
        }),
        response: { 200: pageOf(AuditView), ...problems('400') },
      },
    },
    async ({ query }) =>
      toPageView(await catalog.audit.list(toPageRequest(query, NUMBER_KEY), query), (entry) => ({
        ...entry,
        at: entry.at.toISOString(),
      })),
  );
}
