/** Why a user is in a crowd or is not, by the crowd's current rule and the wide table. */
import { type Static, Type } from 'typebox';
import { QuanrenError } from '../../../errors/quanren-error.js';
import {
  type Explanation,
  explainRule,
  parseDate,
  RuleChecker,
  type RuleEnvironment,
} from '../../../rules/index.js';
import type { App } from '../../http/app-types.js';
import { requireDt } from '../../http/dates.js';
import { Code, Dt, Origin, problems } from '../../http/schemas.js';
import type { PlatformServices, UserRow } from '../../services.js';

const ExplainView = Type.Object({
  uid: Type.String(),
  crowdCode: Code,
  dt: Dt,
  origin: Origin,
  isMatch: Type.Boolean(),
  explanation: Type.Unsafe<Explanation>({
    type: 'object',
    description:
      'The rule’s tree: the truth of each part, with the value that was seen and the column it is from.',
  }),
});

export function addExplainRoute(app: App, { catalog, warehouse }: PlatformServices): void {
  app.get(
    '/explain',
    {
      config: { scope: 'read' },
      schema: {
        summary: 'Why a user is in a crowd or is not',
        tags: ['rules'],
        querystring: Type.Object({
          uid: Type.String({ minLength: 1, maxLength: 512 }),
          crowdCode: Code,
          dt: Type.Optional(Dt),
        }),
        response: { 200: ExplainView, ...problems('400', '404', '422') },
      },
    },
    async ({ query }): Promise<Static<typeof ExplainView>> => {
      const { uid, crowdCode } = query;
      requireDt(query.dt);
      await catalog.crowds.get(crowdCode);
      const environment = await catalog.ruleEnvironment();
      const checked = new RuleChecker(environment).checkCrowd(crowdCode);
      if (!checked.ok) throw new Error(`the catalog holds a rule with errors: ${crowdCode}`);
      const row = await warehouse.readUserRow(uid, { dt: query.dt, rule: checked.value });
      if (row === null) {
        throw new QuanrenError('not_found', `The wide table has no user '${uid}' for that date.`);
      }
      const day = parseDate(row.dt);
      if (day === null) throw new Error(`a partition of no day: ${row.dt}`);
      const context = { zone: environment.zone, anchor: { kind: 'dt' as const, day } };
      const explanation = explainRule(checked.value, valuesByTag(row, environment), context);
      const { dt, origin } = row;
      return { uid, crowdCode, dt, origin, isMatch: explanation.truth === true, explanation };
    },
  );
}

function valuesByTag({ columns }: UserRow, { tags }: RuleEnvironment): Map<string, string | null> {
  return new Map([...tags.values()].map((tag) => [tag.code, columns.get(tag.sourceField) ?? null]));
}
