import { Type } from 'typebox';
import type { Catalog } from '../../../catalog/catalog.js';
import type { App } from '../../http/app-types.js';
import { problems } from '../../http/schemas.js';

const Status = Type.Object({ status: Type.Literal('ok') });

export function addHealthRoutes(app: App, catalog: Catalog): void {
  app.get(
    '/healthz',
    {
      config: { scope: null },
      schema: { summary: 'Is the process alive?', security: [], response: { 200: Status } },
    },
    () => ({ status: 'ok' as const }),
  );
  app.get(
    '/readyz',
    {
      config: { scope: null },
      schema: {
        summary: 'Does the catalog answer?',
        security: [],
        response: { 200: Status, ...problems() },
      },
    },
    async () => {
      await catalog.ping();
      return { status: 'ok' as const };
    },
  );
}
