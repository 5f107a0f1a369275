/** The platform's API over real parts (Postgres, DuckDB, LMDB), asked without a socket; replies are held to its schema. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Ajv, type ValidateFunction } from 'ajv';
import { type Logger, pino } from 'pino';
import { type Authenticator, createAuthenticator } from '../../auth/authenticator.js';
import { type LoadRunner, startLoadRunner } from '../../platform/api/loads/load-runner.js';
import { buildPlatformApp } from '../../platform/app.js';
import type { App } from '../../platform/http/app-types.js';
import { createCatalogDatabase } from './catalog.js';
import type { TestPostgres } from './postgres.js';
import { openRunPlatform, type RunPlatform } from './run-platform.js';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  /** The JSON of the body; an empty object where there is none. */
  readonly json: Record<string, unknown>;
}

export interface Ask {
  readonly body?: unknown;
  /** Sent as it is. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface PlatformApi {
  readonly app: App;
  readonly platform: RunPlatform;
  readonly loads: LoadRunner;
  readonly folder: string;
  /** `ask('PUT /tags/age', { body })`; fails where the reply does not fit what /openapi.json says of it. */
  ask(what: string, options?: Ask): Promise<Answer>;
  close(): Promise<void>;
}

export async function openPlatformApi(
  server: TestPostgres,
  authenticator: Authenticator = createAuthenticator({}),
  logger: Logger = pino({ level: 'silent' }),
): Promise<PlatformApi> {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-platform-'));
  const connection = await createCatalogDatabase(server);
  const platform = await openRunPlatform({ folder, connection });
  const errors: unknown[] = [];
  const loads = await startLoadRunner({
    catalog: platform.catalog,
    warehouse: platform.warehouse,
    spoolFolder: path.join(folder, 'spool'),
    onError: (error) => errors.push(error),
  });
  const app = await buildPlatformApp({
    services: platform,
    loads,
    tls: null,
    authenticator,
    logger,
    version: '0.0.0',
    exportRoot: path.join(folder, 'exports'),
  });
  const checkReply = createReplyCheck(app);
  return {
    app,
    platform,
    loads,
    folder,
    async ask(what, { body, text, headers = {} } = {}) {
      const [method = '', url = ''] = what.split(' ', 2);
      const payload = text ?? (body === undefined ? undefined : JSON.stringify(body));
      const reply = await app.inject({
        method: method as 'GET',
        url,
        headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
        ...(payload === undefined ? {} : { payload }),
      });
      const json = JSON.parse(reply.body || '{}') as Record<string, unknown>;
      checkReply(method, url, reply.statusCode, reply.body === '' ? undefined : json);
      return { status: reply.statusCode, headers: reply.headers, text: reply.body, json };
    },
    async close() {
      await app.close();
      await loads.close();
      await platform.close();
      assert.deepEqual([...errors, ...platform.errors], []);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface OpenApi {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
  >;
}

/** Replies of documented routes must have a documented status and fit its schema. */
function createReplyCheck(app: App) {
  const { paths } = app.swagger() as unknown as OpenApi;
  const ajv = new Ajv({ strict: false, allErrors: true });
  const validators = new Map<object, ValidateFunction>();
  const templates = Object.keys(paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`),
  }));
  return (method: string, url: string, status: number, json: unknown): void => {
    const path = url.split('?', 1)[0] ?? '';
    const exact = templates.find(({ template }) => template === path);
    const { template = '' } = exact ?? templates.find(({ pattern }) => pattern.test(path)) ?? {};
    const operation = paths[template]?.[method.toLowerCase()];
    if (operation === undefined) return;
    const response = operation.responses[String(status)];
    assert.ok(response, `${method} ${template} does not document ${status}: ${JSON.stringify(json)}`);
    const schema = Object.values(response.content ?? {})[0]?.schema;
    if (schema === undefined || json === undefined) return;
    const validate = validators.get(schema) ?? ajv.compile(schema);
    validators.set(schema, validate);
    assert.ok(validate(json), `${method} ${template} ${status}: ${ajv.errorsText(validate.errors)}`);
  };
}
