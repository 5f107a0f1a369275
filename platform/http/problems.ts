/** Every error of the API as problem+json, and what HTTP says of unknown paths and methods. */
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ERROR_KINDS, type ErrorCode } from '../../errors/error-codes.js';
import { QuanrenError, toProblem } from '../../errors/quanren-error.js';
import { stringifyReply } from './json.js';
import { toValidationMessages } from './validation-messages.js';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const MOST_ERRORS_SHOWN = 50;
const TAKEN_TYPES =
  'The content type must be application/json (for POST /loads/purchases application/octet-stream).';

export function sendProblem(reply: FastifyReply, error: QuanrenError): FastifyReply {
  const problem = toProblem(error);
  if (error.action === 'retry-later' && !reply.hasHeader('retry-after'))
    void reply.header('Retry-After', '1');
  return reply
    .code(problem.status)
    .type('application/problem+json')
    .serializer((payload: unknown) => stringifyReply(payload))
    .send(problem);
}

/** What Fastify itself refuses, by its code or status. */
function toQuanrenError(error: FastifyError): QuanrenError {
  if (error instanceof QuanrenError) return error;
  if (error.validation !== undefined) {
    const where = error.validationContext ?? 'body';
    const found = toValidationMessages(error.validation).slice(0, MOST_ERRORS_SHOWN);
    const errors = found.map((each) => ({ in: where, ...each }));
    const sentences = found.map(
      ({ pointer, message }) => `${PART_NAMES[where] ?? where}${at(pointer)} ${message}`,
    );
    return new QuanrenError('bad_request', endWithDot(sentences.join('; ')), { extra: { errors } });
  }
  const code = codeOf(error);
  return code === 'internal'
    ? new QuanrenError('internal', 'An unexpected error; the log has more.', { cause: error })
    : new QuanrenError(code, code === 'unsupported_media_type' ? TAKEN_TYPES : endWithDot(error.message));
}

/** The parts of a request as people call them. */
const PART_NAMES: Readonly<Record<string, string>> = {
  body: 'The body',
  querystring: 'The query',
  params: 'The path',
  headers: 'The headers',
};

const at = (pointer: string) => (pointer === '' ? '' : `’s '${pointer.slice(1)}'`);
const endWithDot = (text: string) => (text.endsWith('.') ? text : `${text}.`);

function codeOf(error: FastifyError): ErrorCode {
  switch (error.statusCode) {
    case ERROR_KINDS.too_large.status:
      return 'too_large';
    case ERROR_KINDS.unsupported_media_type.status:
      return 'unsupported_media_type';
    default:
      return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
        ? 'bad_request'
        : 'internal';
  }
}

export function handleProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = toQuanrenError(error);
    if (known.code === 'internal') request.log.error({ err: error }, 'request failed');
    return sendProblem(reply, known);
  });
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new QuanrenError('not_found', `There is nothing at ${pathOf(request)}.`)),
  );
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}

/**
 * Begins to note the routes of the app. The function that it returns, called after the last of them, adds for each path
 * the methods that it does not take: OPTIONS with Allow, and 405 for the others.
 */
export function watchMethods(app: FastifyInstance): () => void {
  const taken = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = taken.get(url) ?? new Set(['OPTIONS']);
    for (const each of Array.isArray(method) ? method : [method]) methods.add(each);
    taken.set(url, methods);
  });
  return () => {
    for (const [url, methods] of [...taken]) {
      const allow = METHODS.filter((method) => methods.has(method)).join(', ');
      const others = METHODS.filter((method) => !methods.has(method));
      const common = { url, config: { scope: null }, schema: { hide: true } };
      app.route({
        ...common,
        method: 'OPTIONS',
        handler: (_, reply) => reply.code(204).header('Allow', allow).send(),
      });
      app.route({
        ...common,
        method: [...others],
        handler: (request, reply) =>
          sendProblem(
            reply.header('Allow', allow),
            new QuanrenError(
              'method_not_allowed',
              `${pathOf(request)} takes ${allow}, not ${request.method}.`,
            ),
          ),
      });
    }
  };
}
