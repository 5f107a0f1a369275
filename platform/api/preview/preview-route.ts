/** How many users a rule selects, and some of them, before it is anyone's crowd. */
import { Type } from 'typebox';
import type { App } from '../../http/app-types.js';
import { requireDt } from '../../http/dates.js';
import { textOfMember } from '../../http/json.js';
import { BODY_PROBLEMS, body, Dt, Origin, problems, Rule } from '../../http/schemas.js';
import type { PlatformServices } from '../../services.js';

const DEADLINE_MS = 30_000;

const PreviewBody = body({
  rule: Rule,
  dt: Type.Optional(Dt),
  sampleSize: Type.Optional(Type.Integer({ minimum: 0, maximum: 100 })),
});
const PreviewView = Type.Object({
  dt: Dt,
  origin: Origin,
  userCount: Type.Integer({ description: 'Exact.' }),
  sampleUids: Type.Array(Type.String()),
});

export function addPreviewRoute(app: App, { catalog, warehouse }: PlatformServices): void {
  app.post(
    '/rules/preview',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'The exact size of a rule, and ten users of it',
        tags: ['rules'],
        body: PreviewBody,
        response: { 200: PreviewView, ...BODY_PROBLEMS, ...problems('404', '422') },
      },
    },
    async ({ body: { dt, sampleSize = 10 }, bodyText }) => {
      requireDt(dt);
      const rule = await catalog.checkRule(textOfMember(bodyText, 'rule'));
      const options = { sampleSize, deadlineMs: DEADLINE_MS };
      const preview = await warehouse.previewRule(rule, dt === undefined ? options : { ...options, dt });
      return { ...preview, sampleUids: [...preview.sampleUids] };
    },
  );
}
