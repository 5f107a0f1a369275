import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import type { Authenticator } from '../../../auth/authenticator.js';
import { ANONYMOUS, type Principal, type Scope } from '../../../auth/principal.js';
import { openPlatformApi, type PlatformApi } from '../../support/platform-api.js';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.js';

let server: TestPostgres;
let open: PlatformApi;
before(async () => {
  server = await startTestPostgres();
  open = await openPlatformApi(server);
});
after(async () => {
  await open.close();
  await server.stop();
});

test('unknown paths, wrong methods, HEAD and OPTIONS, as HTTP says', async () => {
  const nowhere = await open.ask('GET /nowhere');
  assert.deepEqual([nowhere.status, nowhere.headers['content-type']], [404, 'application/problem+json']);
  const wrong = await open.ask('PATCH /tags/age');
  assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET, HEAD, PUT, DELETE, OPTIONS']);
  const options = await open.ask('OPTIONS /crowds/a/pause');
  assert.deepEqual([options.status, options.headers.allow], [204, 'POST, OPTIONS']);
  const head = await open.ask('HEAD /healthz');
  assert.deepEqual([head.status, head.text], [200, '']);
  assert.equal((await open.ask('GET /healthz')).headers['cache-control'], 'no-store');
  assert.equal((await open.ask('GET /readyz')).status, 200);
});

test('bodies: not JSON 400, another type 415, none where one is needed 400', async () => {
  const broken = await open.ask('PUT /tags/age', { text: '{"tagName":\n oops' });
  assert.equal(broken.status, 400);
  assert.match(broken.text, /line 2/);
  const typed = await open.ask('PUT /tags/age', { text: 'x', headers: { 'content-type': 'text/plain' } });
  assert.deepEqual([typed.status, typed.json.code], [415, 'unsupported_media_type']);
  assert.equal((await open.ask('PUT /tags/age')).status, 400);
  assert.equal((await open.ask('POST /loads/purchases?fileName=x', { body: {} })).status, 415);
  assert.equal((await open.ask('POST /loads/purchases?fileName=x')).status, 400);
});

test('without authentication: not for web pages of other sites, nor by a name that is not loopback', async () => {
  const { port } = new URL(await open.app.listen({ host: '127.0.0.1', port: 0 }));
  const statusFor = (headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      request({ port, host: '127.0.0.1', path: '/crowds', headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end();
    });
  assert.equal(await statusFor({}), 200);
  assert.equal(await statusFor({ host: `localhost:${port}` }), 200);
  assert.equal(await statusFor({ host: `[::1]:${port}` }), 200);
  assert.equal(await statusFor({ host: `rebound.example:${port}` }), 403);
  assert.equal(await statusFor({ origin: 'http://evil.example' }), 403);
  assert.equal(await statusFor({ origin: 'null' }), 403);
  assert.equal(await statusFor({ origin: `http://127.0.0.1:${port}` }), 200);
});

test('parameters: out of range, repeated, of another list', async () => {
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'limit=1&limit=2', 'cursor=%00', 'cursor=QUI']) {
    assert.equal((await open.ask(`GET /tags?${query}`)).status, 400, query);
  }
  assert.equal((await open.ask('GET /runs/0')).status, 400);
  assert.equal((await open.ask('GET /runs/99999999999')).status, 400);
  assert.equal((await open.ask('GET /runs?batchId=1')).status, 400);
  assert.equal((await open.ask('GET /explain?uid=u&crowdCode=c&dt=1998-02-30')).status, 400);
});

test('the description covers every route, and each names its scope’s failures', async () => {
  const { json } = await open.ask('GET /openapi.json');
  const paths = json.paths as Record<string, Record<string, { responses: object }>>;
  assert.deepEqual(
    Object.entries(paths)
      .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
      .filter((route) => !route.startsWith('HEAD'))
      .sort(),
    [
      'DELETE /crowds/{crowdCode}',
      'DELETE /tags/{tagCode}',
      'GET /audit',
      'GET /crowds',
      'GET /crowds/{crowdCode}',
      'GET /crowds/{crowdCode}/diff',
      'GET /crowds/{crowdCode}/versions',
      'GET /crowds/{crowdCode}/versions/{version}',
      'GET /explain',
      'GET /healthz',
      'GET /loads',
      'GET /loads/{loadId}',
      'GET /quality-reports',
      'GET /readyz',
      'GET /runs',
      'GET /runs/{runId}',
      'GET /tags',
      'GET /tags/{tagCode}',
      'POST /crowds/{crowdCode}/pause',
      'POST /crowds/{crowdCode}/resume',
      'POST /crowds/{crowdCode}/roll-back',
      'POST /crowds/{crowdCode}/runs',
      'POST /loads/purchases',
      'POST /loads/synthetic',
      'POST /rules/preview',
      'POST /runs',
      'PUT /crowds/{crowdCode}',
      'PUT /tags/{tagCode}',
    ],
  );
  for (const [path, methods] of Object.entries(paths)) {
    if (path === '/healthz' || path === '/readyz') continue;
    for (const { responses } of Object.values(methods))
      assert.ok('401' in responses && '403' in responses, path);
  }
});

test('the document tells of versions, of what is sent and of how errors look', async () => {
  interface Operation {
    readonly parameters?: readonly { readonly in: string; readonly name: string }[];
    readonly requestBody?: { readonly content: object };
    readonly responses: Record<string, { readonly headers?: object; readonly content?: object }>;
  }
  const { json } = await open.ask('GET /openapi.json');
  const paths = json.paths as Record<string, Record<string, Operation>>;
  for (const [path, method] of [
    ['/crowds/{crowdCode}', 'put'],
    ['/crowds/{crowdCode}', 'delete'],
    ['/crowds/{crowdCode}/roll-back', 'post'],
    ['/tags/{tagCode}', 'put'],
  ] as const) {
    const headers = paths[path]?.[method]?.parameters?.filter((each) => each.in === 'header');
    assert.deepEqual(headers?.map(({ name }) => name).sort(), ['if-match', 'if-none-match'], path);
  }
  const { put } = paths['/crowds/{crowdCode}'] ?? {};
  assert.deepEqual(Object.keys(put?.responses['201']?.headers ?? {}), ['ETag']);
  for (const status of ['400', '401', '412', '422'])
    assert.deepEqual(Object.keys(put?.responses[status]?.content ?? {}), ['application/problem+json']);
  const { post } = paths['/loads/purchases'] ?? {};
  assert.ok(Object.hasOwn(post?.requestBody?.content ?? {}, 'application/octet-stream'));
  assert.deepEqual(Object.keys(post?.responses['202']?.headers ?? {}), ['Location']);
});

test('credentials: 401 without, 403 without the scope, and the name in the audit', async () => {
  const scopes: Record<string, readonly Scope[]> = {
    reader: ['read'],
    writer: ['read', 'tags:write'],
    runner: ['crowds:run'],
  };
  const authenticator: Authenticator = {
    isOn: true,
    open: async () => undefined,
    authenticate(header) {
      const subject = header.replace('Bearer ', '');
      const held = scopes[subject];
      if (held === undefined) return { kind: 'failure', reason: 'missing', detail: 'Say who you are.' };
      const principal: Principal = { ...ANONYMOUS, subject, method: 'api-key', scopes: new Set(held) };
      return principal;
    },
  };
  const api = await openPlatformApi(server, authenticator);
  try {
    const as = (who: string) => ({ headers: { authorization: `Bearer ${who}` } });
    const body = { tagName: 'Age', tagType: 'numeric' };
    const nobody = await api.ask('GET /tags');
    assert.deepEqual([nobody.status, nobody.headers['www-authenticate']], [401, 'Bearer realm="quanren"']);
    const reader = await api.ask('PUT /tags/age', { body, ...as('reader') });
    assert.equal(reader.status, 403);
    assert.match(String(reader.headers['www-authenticate']), /insufficient_scope.*tags:write/);
    assert.equal((await api.ask('GET /tags', as('reader'))).status, 200);
    assert.equal((await api.ask('PUT /tags/age', { body, ...as('writer') })).status, 201);
    const audit = await api.ask('GET /audit?principal=writer', as('reader'));
    assert.equal((audit.json.items as { subjectKey: string }[])[0]?.subjectKey, 'age');
    for (const path of ['/healthz', '/readyz', '/openapi.json'])
      assert.equal((await api.ask(`GET ${path}`)).status, 200);
    for (const route of [
      'POST /runs',
      'POST /crowds/a/runs',
      'POST /loads/synthetic',
      'POST /loads/purchases?fileName=x',
      'PUT /crowds/a',
      'DELETE /crowds/a',
      'POST /crowds/a/pause',
      'POST /crowds/a/roll-back',
      'DELETE /tags/age',
    ]) {
      assert.equal((await api.ask(route, as('reader'))).status, 403, route);
      assert.equal((await api.ask(route)).status, 401, route);
    }
    // Where people are asked who they are, being on this machine makes nobody its master.
    for (const folder of [tmpdir(), '../elsewhere']) {
      const body = { export: { format: 'csv', folder } };
      const runner = await api.ask('POST /runs', { body, ...as('runner') });
      assert.deepEqual([runner.status, runner.json.code], [403, 'forbidden']);
      assert.match(String(runner.json.detail), /platform\.exportRoot/);
    }
    // Within it: as far as the partition, of which there is none.
    const within = { export: { format: 'csv', folder: 'daily' } };
    assert.equal((await api.ask('POST /runs', { body: within, ...as('runner') })).status, 404);
  } finally {
    await api.close();
  }
});

test('a database that is away is 503 with Retry-After, and not ready', async () => {
  const own = await startTestPostgres();
  const api = await openPlatformApi(own);
  await own.stop();
  try {
    for (const route of ['GET /readyz', 'GET /tags']) {
      const answer = await api.app.inject({ method: 'GET', url: route.split(' ')[1] ?? '' });
      assert.deepEqual([answer.statusCode, answer.headers['retry-after']], [503, '1'], route);
    }
    assert.equal((await api.ask('GET /healthz')).status, 200);
  } finally {
    await api.close();
  }
});

test('the description is the same each time it is asked for', async () => {
  const texts = await Promise.all([open.ask('GET /openapi.json'), open.ask('GET /openapi.json')]);
  const hashes = texts.map(({ text }) => createHash('sha256').update(text).digest('hex'));
  assert.equal(hashes[0], hashes[1]);
});
