/** What the log tells of a request: neither its query nor its headers, nor a path that nobody here has chosen. */
import type { FastifyReply, FastifyRequest } from 'fastify';

export const REQUEST_SERIALIZERS = {
  /** `route`: `/crowds/:crowdCode`; none of a path that is nowhere. */
  req: ({ method, routeOptions, ip }: FastifyRequest) => ({ method, route: routeOptions.url, ip }),
  res: ({ statusCode }: FastifyReply) => ({ statusCode }),
};
