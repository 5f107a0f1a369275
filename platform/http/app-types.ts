/** What every feature of the API is given, and what Fastify's objects carry for it. */
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { Principal, Scope } from '../../auth/principal.js';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the caller needs; null is open to everyone. A route that says neither is refused. */
    readonly scope?: Scope | null;
  }
  interface FastifyRequest {
    principal: Principal | null;
    /** The JSON text of the body as it was sent; '' where there was none. */
    bodyText: string;
  }
}
