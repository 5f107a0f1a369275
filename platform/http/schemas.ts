/** The pieces that the schemas of routes are made of. */
import { type Static, type TProperties, Type } from 'typebox';

/** No U+0000 and no lone surrogate: Postgres and UTF-8 cannot hold them. */
const TEXT = '^[^\\u0000\\uD800-\\uDFFF]*$';

export const text = (maxLength: number, minLength = 0) =>
  Type.String({ minLength, maxLength, pattern: TEXT });
export const optionalText = (maxLength: number) => Type.Optional(Type.Union([text(maxLength), Type.Null()]));
export const nullable = <const T extends Parameters<typeof Type.Union>[0][number]>(type: T) =>
  Type.Union([type, Type.Null()]);

export const Origin = Type.Union([Type.Literal('real'), Type.Literal('synthetic')], {
  description: 'Where the users come from.',
});

export const Code = Type.String({
  pattern: '^[a-z][a-z0-9_]{0,49}$',
  description: 'A small letter, then up to 49 small letters, digits and underscores.',
});
export const Dt = Type.String({
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$',
  description: 'A business date, 1998-06-30.',
});
export const Instant = Type.String({ description: 'A moment, 2026-11-23T02:00:00.000Z.' });
export const Rule = Type.Unsafe<object>({
  type: 'object',
  description: 'A rule of the rule language; its numbers keep all their digits.',
});
/** Numbers of runs, loads and versions, as they stand in paths. */
export const Id = Type.Integer({ minimum: 1, maximum: 2_147_483_647 });

/** An object that takes no other members. */
export const body = <T extends TProperties>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });

export const PagingProperties = {
  limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 50 }),
  cursor: Type.Optional(
    Type.String({ maxLength: 200, description: 'The `next` of the page before this one.' }),
  ),
};

export const pageOf = <T extends Parameters<typeof Type.Array>[0]>(item: T) =>
  Type.Object({ items: Type.Array(item), next: nullable(Type.String()) });

/** RFC 9457. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String(),
  },
  { additionalProperties: true, description: 'What went wrong, for people and programs.' },
);
export type ProblemView = Static<typeof Problem>;

const ProblemReply = {
  description: 'What went wrong, as problem+json',
  content: { 'application/problem+json': { schema: Problem } },
};

/** The problems that a route of the catalog may answer with: those given, and what any of them may. */
export const problems = <const S extends string>(...statuses: S[]) =>
  Object.fromEntries(
    ['401', '403', '500', '503', ...statuses].map((status) => [status, ProblemReply]),
  ) as Record<S, typeof ProblemReply>;

const header = (description: string) => ({ type: 'string', description }) as const;

/** A reply that carries the version of what it shows. */
export const versioned = <T extends object>(view: T): T => ({
  ...view,
  headers: { ETag: header('The version, as If-Match takes it: "3"') },
});

/** A reply that says where to follow what was asked for. */
export const followed = <T extends object>(view: T): T => ({
  ...view,
  headers: { Location: header('Where to follow it') },
});

/** What a change must find; read by `preconditions.ts`. */
export const PreconditionHeaders = Type.Object({
  'if-match': Type.Optional(
    Type.String({ description: 'The ETag of the version that is to be changed: "3"' }),
  ),
  'if-none-match': Type.Optional(Type.String({ description: '* where there must be none yet' })),
});

/** What a body can do wrong before a route sees it. */
export const BODY_PROBLEMS = problems('400', '413', '415');
