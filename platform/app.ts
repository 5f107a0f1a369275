/** The platform's API: a folder per feature under api/, each added by one function; http/ has what they share. */
import { readFileSync } from 'node:fs';
import swagger from '@fastify/swagger';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Ajv } from 'ajv';
import Fastify, { type FastifyBaseLogger } from 'fastify';
import type { Logger } from 'pino';
import type { Authenticator } from '../auth/authenticator.js';
import { addAuditRoutes } from './api/audit/audit-routes.js';
import { addCrowdRoutes } from './api/crowds/crowd-routes.js';
import { addExplainRoute } from './api/explain/explain-route.js';
import { addHealthRoutes } from './api/health/health-routes.js';
import { addLoadRoutes } from './api/loads/load-routes.js';
import type { LoadRunner } from './api/loads/load-runner.js';
import { addPreviewRoute } from './api/preview/preview-route.js';
import { addQualityRoutes } from './api/quality/quality-routes.js';
import { addRunRoutes } from './api/runs/run-routes.js';
import { addTagRoutes } from './api/tags/tag-routes.js';
import type { App } from './http/app-types.js';
import { authenticateRequests } from './http/authentication.js';
import { refuseForeignPages } from './http/foreign-pages.js';
import { parseBody, stringifyReply } from './http/json.js';
import { handleProblems, watchMethods } from './http/problems.js';
import { REQUEST_SERIALIZERS } from './http/request-log.js';
import type { PlatformServices } from './services.js';

/** A rule with a list of 100,000 values fits. */
const BODY_LIMIT_BYTES = 16 * 1024 * 1024;
/** A request's head and body; a big file over a slow line may take this long. */
const REQUEST_TIMEOUT_MS = 600_000;
/** Between two sockets' bytes. */
const IDLE_SOCKET_MS = 60_000;
const KEEP_ALIVE_MS = 30_000;
const MAX_CONNECTIONS = 1_000;

export interface PlatformAppOptions {
  readonly services: PlatformServices;
  readonly loads: LoadRunner;
  readonly authenticator: Authenticator;
  /** PEM files; null: plain HTTP. */
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null;
  readonly logger: Logger;
  readonly version: string;
  /** Absolute: where exports go, and stay where authentication is on. */
  readonly exportRoot: string;
}

/** The app, ready to listen or to be asked by `inject`; `close` lets requests in flight finish. */
export async function buildPlatformApp(options: PlatformAppOptions): Promise<App> {
  const logger: FastifyBaseLogger = options.logger.child({}, { serializers: REQUEST_SERIALIZERS });
  const app: App = Fastify({
    loggerInstance: logger,
    ...(options.tls === null
      ? {}
      : { https: { cert: readFileSync(options.tls.certFile), key: readFileSync(options.tls.keyFile) } }),
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_SOCKET_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    routerOptions: { maxParamLength: 200 },
  }).withTypeProvider<TypeBoxTypeProvider>();
  app.server.maxConnections = MAX_CONNECTIONS;
  validateBySchema(app);
  readJsonBodies(app);
  handleProblems(app);
  if (!options.authenticator.isOn) refuseForeignPages(app);
  authenticateRequests(app, options.authenticator);
  app.addHook('onSend', async (_, reply) => {
    void reply.header('Cache-Control', 'no-store');
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Quanren platform', version: options.version },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } } },
      security: [{ bearer: [] }],
    },
  });
  const addFallbacks = watchMethods(app);
  const { services, loads } = options;
  addHealthRoutes(app, services.catalog);
  addTagRoutes(app, services);
  addCrowdRoutes(app, services);
  addPreviewRoute(app, services);
  addRunRoutes(app, services, { root: options.exportRoot, authIsOn: options.authenticator.isOn });
  addExplainRoute(app, services);
  await addLoadRoutes(app, services.catalog, loads);
  addQualityRoutes(app, services.catalog);
  addAuditRoutes(app, services.catalog);
  app.get('/openapi.json', { config: { scope: null }, schema: { hide: true } }, () => app.swagger());
  addFallbacks();
  await app.ready();
  return app;
}

/** Bodies are taken as they are; parameters, which are all text, are turned into what the schema says. */
function validateBySchema(app: App): void {
  const options = { allErrors: true, verbose: true, useDefaults: true, strict: false };
  const strict = new Ajv(options);
  const coercing = new Ajv({ ...options, coerceTypes: true });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? strict : coercing).compile(schema as object),
  );
  app.setSerializerCompiler(() => stringifyReply);
}

function readJsonBodies(app: App): void {
  app.decorateRequest('bodyText', '');
  app.removeContentTypeParser('application/json');
  app.removeContentTypeParser('text/plain');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, text, done) => {
    try {
      request.bodyText = String(text);
      done(null, text === '' ? undefined : parseBody(request.bodyText));
    } catch (error) {
      done(error as Error);
    }
  });
}
