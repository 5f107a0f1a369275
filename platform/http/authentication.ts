/** Who asks, and may they: before anything else of a request is looked at. */
import type { FastifyRequest } from 'fastify';
import type { Authenticator } from '../../auth/authenticator.js';
import { refusalFor } from '../../auth/refusal.js';
import type { App } from './app-types.js';
import { sendProblem } from './problems.js';

export function authenticateRequests(app: App, authenticator: Authenticator): void {
  app.decorateRequest('principal', null);
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return;
    const { scope } = request.routeOptions.config;
    if (scope === null) return;
    if (scope === undefined) throw new Error(`the route ${request.routeOptions.url} names no scope`);
    const result = await authenticator.authenticate(request.headers.authorization ?? '');
    const refusal = refusalFor(result, scope);
    if (refusal !== undefined) {
      await sendProblem(reply.headers(refusal.headers), refusal.error);
      return;
    }
    if (result.kind === 'principal') request.principal = result;
  });
}

/** The name that goes into the audit. */
export function nameOf(request: FastifyRequest): string {
  if (request.principal === null) throw new Error('the request passed no authentication');
  return request.principal.subject;
}
