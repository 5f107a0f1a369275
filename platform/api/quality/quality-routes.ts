import { Type } from 'typebox';
import type { Catalog } from '../../../catalog/catalog.js';
import type { App } from '../../http/app-types.js';
import { requireDt } from '../../http/dates.js';
import { NUMBER_KEY, toPageRequest, toPageView } from '../../http/paging.js';
import { Dt, Instant, nullable, PagingProperties, pageOf, problems } from '../../http/schemas.js';

const ExactNumber = Type.String({ description: 'A decimal number with all its digits.' });
const QualityView = Type.Object({
  reportId: Type.Integer(),
  dt: Dt,
  tableName: Type.String(),
  columnName: nullable(Type.String()),
  checkName: Type.String(),
  checkKind: Type.String(),
  status: Type.Union([Type.Literal('passed'), Type.Literal('warning'), Type.Literal('failed')]),
  observed: ExactNumber,
  lowerBound: nullable(ExactNumber),
  upperBound: nullable(ExactNumber),
  rowsChecked: Type.Integer(),
  rowsFailed: Type.Integer(),
  detail: nullable(Type.String()),
  createdAt: Instant,
});

export function addQualityRoutes(app: App, catalog: Catalog): void {
  app.get(
    '/quality-reports',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'What each load measured of its data, newest first',
        tags: ['loads'],
        querystring: Type.Object({
          ...PagingProperties,
          tableName: Type.Optional(
            Type.String({ maxLength: 200, description: 'For example dws.user_profile_wide.' }),
          ),
          dt: Type.Optional(Dt),
        }),
        response: { 200: pageOf(QualityView), ...problems('400') },
      },
    },
    async ({ query }) => {
      requireDt(query.dt);
      const page = await catalog.qualityReports.list(toPageRequest(query, NUMBER_KEY), query);
      return toPageView(page, (report) => ({ ...report, createdAt: report.createdAt.toISOString() }));
    },
  );
}
