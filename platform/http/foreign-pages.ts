/**
 * Without authentication every program on this machine may ask; the web pages that its browser shows may not. A page can
 * send a POST to any address without being asked, and by a name that it points at 127.0.0.1 (DNS rebinding) it would even
 * read the answers. The browser tells both: by `Origin`, and by the name in `Host`.
 */
import type { FastifyRequest } from 'fastify';
import { isLoopback } from '../../auth/exposure.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { App } from './app-types.js';
import { sendProblem } from './problems.js';

export function refuseForeignPages(app: App): void {
  app.addHook('onRequest', async (request, reply) => {
    const reason = foreignness(request);
    if (reason !== undefined) await sendProblem(reply, new QuanrenError('forbidden', reason));
  });
}

function foreignness({ headers, host, hostname, socket }: FastifyRequest): string | undefined {
  if (isLoopback(socket.localAddress ?? '') && !isLoopback(hostname)) {
    return 'While authentication is off, this server is asked as localhost, 127.0.0.1 or [::1] only.';
  }
  const { origin } = headers;
  if (origin === undefined) return undefined;
  if (URL.canParse(origin) && new URL(origin).host === host) return undefined;
  return 'While authentication is off, web pages of other sites may not ask.';
}
