/** Which handler each path has, who may ask, and what HTTP says of the rest. */
import type { Authenticator } from '../../auth/authenticator.js';
import type { AuthResult } from '../../auth/principal.js';
import { refusalFor } from '../../auth/refusal.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { Endpoint } from '../metrics/definitions.js';
import { BEHIND } from '../read/membership-reader.js';
import { createHead, type Exchange, type Handler, type TransportOptions } from '../transport/transport.js';
import { MAX_BATCH_BYTES, parseBatchRequest } from './batch-request.js';
import type { FastPath } from './fast-path.js';
import type { MatchService } from './match-service.js';
import { OPENAPI } from './openapi.js';
import type { RateLimit } from './rate-limit.js';
import { createFailure, JSON_HEADERS, OK_HEAD, Responder, type ResponderOptions } from './responder.js';

export interface RoutesOptions extends ResponderOptions {
  readonly service: MatchService;
  readonly fastPath: FastPath;
  readonly authenticator: Authenticator;
  readonly rateLimit?: RateLimit | undefined;
  /** Why the gateway should get no traffic now; undefined when it should. */
  readonly unreadyReason: () => string | undefined;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

interface Route {
  readonly get?: Handler;
  readonly post?: Handler;
}

/** Every which one of the answers of the fast path is timed; a power of 2. */
const TIMED_ANSWERS = 64;

const OVER_RATE = new QuanrenError('overloaded', 'This gateway is asked more than it is set to answer.');
const OVER_RATE_FAILURE = createFailure(OVER_RATE);
const BEHIND_FAILURE = createFailure(BEHIND);

export function createRoutes(options: RoutesOptions): Pick<TransportOptions, 'get' | 'other'> {
  const { service, fastPath, authenticator, rateLimit, stats, unreadyReason, now } = options;
  const mayAnswer = (users: number): boolean => rateLimit?.tryTake(users, now()) !== false;

  /** Calls `serve` once the caller is known to hold match:read. */
  const authorize = (authorization: string, responder: Responder, serve: () => void): void => {
    if (!authenticator.isOn) {
      serve();
      return;
    }
    const decide = (result: AuthResult): void => {
      const refusal = refusalFor(result, 'match:read');
      if (refusal === undefined) serve();
      else responder.fail(refusal.error, refusal.headers);
    };
    const result = authenticator.authenticate(authorization);
    if (!(result instanceof Promise)) {
      decide(result);
      return;
    }
    responder.defer();
    result.then(decide, (error: unknown) => responder.fail(error));
  };

  const withQuery =
    (endpoint: Endpoint, serve: (query: string, responder: Responder) => void): Handler =>
    (exchange) => {
      const responder = new Responder(options, endpoint, exchange);
      const { query } = exchange;
      authorize(exchange.header('authorization'), responder, () => serve(query, responder));
    };

  const withinRate =
    (serve: (query: string, responder: Responder) => void) => (query: string, responder: Responder) => {
      if (mayAnswer(1)) serve(query, responder);
      else responder.refuse(OVER_RATE_FAILURE);
    };

  const serveMatch = (query: string, responder: Responder) => service.match(query, responder);
  const matchAdmitted = withQuery('match', serveMatch);
  const matchSlowly = withQuery('match', withinRate(serveMatch));

  let answers = 0;
  const matchOpenly: Handler = (exchange) => {
    const isTimed = (++answers & (TIMED_ANSWERS - 1)) === 0;
    const startMs = isTimed ? performance.now() : 0;
    if (!mayAnswer(1)) {
      new Responder(options, 'match', exchange).refuse(OVER_RATE_FAILURE);
      return;
    }
    const answer = fastPath.answer(exchange.query, now());
    if (answer === undefined) {
      const { missed } = fastPath;
      if (missed === undefined) matchAdmitted(exchange);
      else service.matchMissed(missed, new Responder(options, 'match', exchange));
      return;
    }
    if (answer === 'behind') {
      new Responder(options, 'match', exchange).refuse(BEHIND_FAILURE);
      return;
    }
    exchange.reply(OK_HEAD, answer);
    stats.countMatch();
    if (isTimed) stats.observeDuration('match', (performance.now() - startMs) / 1_000, TIMED_ANSWERS);
  };

  /** With authentication the fast path is the same, behind a principal that is remembered. */
  const matchGuarded: Handler = (exchange) => {
    const result = authenticator.authenticate(exchange.header('authorization'));
    const mayPass = !(result instanceof Promise) && refusalFor(result, 'match:read') === undefined;
    if (mayPass) matchOpenly(exchange);
    else matchSlowly(exchange);
  };

  const batch: Handler = (exchange) => {
    const isJson = /^application\/json\b/i.test(exchange.header('content-type'));
    const authorization = exchange.header('authorization');
    exchange.readBody(MAX_BATCH_BYTES, (deferred, body) => {
      const responder = new Responder(options, 'match_batch', deferred);
      authorize(authorization, responder, () => {
        try {
          if (body === 'too_large')
            throw new QuanrenError('too_large', `The body has more than ${MAX_BATCH_BYTES} bytes.`);
          if (!isJson) throw new QuanrenError('unsupported_media_type', 'The body must be application/json.');
          const request = parseBatchRequest(body);
          if (!mayAnswer(request.uids.length)) throw OVER_RATE;
          service.batch(request, responder);
        } catch (error) {
          responder.fail(error);
        }
      });
    });
  };

  const match = authenticator.isOn ? matchGuarded : matchOpenly;
  const open =
    (serve: (responder: Responder) => void): Handler =>
    (exchange) =>
      serve(new Responder(options, 'other', exchange));

  const routes: Readonly<Record<string, Route>> = {
    '/match': { get: match },
    '/api/crowd/match': { get: match },
    '/match/batch': { post: batch },
    '/api/crowd/match/batch': { post: batch },
    '/tags': {
      get: withQuery(
        'tags',
        withinRate((query, responder) => service.tags(query, responder)),
      ),
    },
    '/healthz': { get: open((responder) => responder.ok('{"status":"up"}', false)) },
    '/readyz': {
      get: open((responder) => {
        const reason = unreadyReason();
        if (reason === undefined) responder.ok('{"status":"ready"}', false);
        else responder.fail(new QuanrenError('unavailable', reason));
      }),
    },
    '/openapi.json': {
      get: open((responder) => responder.reply(createHead(200, JSON_HEADERS), OPENAPI, 'ok')),
    },
  };

  return {
    get: Object.fromEntries(
      Object.entries(routes).flatMap(([path, { get }]) => (get === undefined ? [] : [[path, get]])),
    ),
    other: (exchange) => serveOther(exchange, routes, options),
  };
}

/** What is no GET of a known path: HEAD, OPTIONS, POST, the wrong method, the unknown path. */
function serveOther(
  exchange: Exchange,
  routes: Readonly<Record<string, Route>>,
  options: ResponderOptions,
): void {
  const responder = new Responder(options, 'other', exchange);
  const { method, path } = exchange;
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) {
    responder.fail(
      new QuanrenError('not_found', 'There is nothing at this path; /openapi.json has what there is.'),
    );
    return;
  }
  const handler =
    method === 'HEAD' || method === 'GET' ? route.get : method === 'POST' ? route.post : undefined;
  if (handler !== undefined) {
    handler(exchange);
    return;
  }
  const allow = [...(route.get ? ['GET', 'HEAD'] : []), ...(route.post ? ['POST'] : []), 'OPTIONS'].join(
    ', ',
  );
  if (method === 'OPTIONS') responder.reply(createHead(204, { allow }), '', 'ok');
  else {
    const error = new QuanrenError('method_not_allowed', `This path takes ${allow}.`);
    responder.fail(error, { allow });
  }
}
