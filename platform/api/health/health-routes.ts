import { Type } from 'typebox';
import type { Catalog } from '../../../catalog/catalog.js';
import type { App } from '../../http/app-types.js';
import { problems } from '../../http/schemas.js';

export function addHealthRoutes(app: App, catalog: Catalog): void {
  app.get(
    '/healthz',
    {
      config: { scope: null },
      schema: {
        summary: 'Is the process alive?',
        security: [],
        response: { 200: Type.Object({ status: Type.Literal('up') }) },
      },
    },
    () => ({ status: 'up' as const }),
  );
  app.get(
    '/readyz',
    {
      config: { scope: null },
      schema: {
        summary: 'Does the catalog answer?',
        security: [],
        response: { 200: Type.Object({ status: Type.Literal('ready') }), ...problems() },
      },
    },
    async () => {
      await catalog.ping();
      return { status: 'ready' as const };
    },
  );
}
