/** Who may ask, through the gateway's own process: tokens of every kind, key sets that rotate, fail and come back. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import path from 'node:path';
import { after, test } from 'node:test';
import { base64url, exportSPKI, SignJWT } from 'jose';
import { createCertificate } from '../../support/certificate.js';
import { AUDIENCE, ISSUER, keySetOf, makeSigner, signToken } from '../../support/tokens.js';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const data = new DataFolder();
const gateways: GatewayProcess[] = [];
after(async () => {
  for (const gateway of gateways) await gateway.stop();
  await data.remove();
});
await data.setCrowd('vip', 'active');
await data.change('u1', 'vip', 'enter');
data.startBeats();

const SKEW_SECONDS = 2;

async function start(jwks: string, environment: Record<string, string> = {}): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start(data, {
    QUANREN_AUTH_JWKS: jwks,
    QUANREN_AUTH_ISSUER: ISSUER,
    QUANREN_AUTH_AUDIENCE: AUDIENCE,
    QUANREN_AUTH_CLOCK_SKEW_SECONDS: String(SKEW_SECONDS),
    ...environment,
  });
  gateways.push(gateway);
  return gateway.ready();
}

const REQUESTS = [
  { target: '/match?uid=u1&crowdCode=vip', init: {}, answer: /"isMatch":true/ },
  { target: '/api/crowd/match?uid=u1', init: {}, answer: /"userCrowds":\["vip"\]/ },
  { target: '/tags?uid=u1', init: {}, answer: /"tags":\{\}/ },
  {
    target: '/match/batch',
    init: { method: 'POST', body: '{"uids":["u1"]}' },
    answer: /"userCrowds":\["vip"\]/,
  },
] as const;

/** Over a connection of its own, so that either worker may get it. */
function ask(
  gateway: GatewayProcess,
  token: string | undefined,
  request: (typeof REQUESTS)[number] = REQUESTS[0],
) {
  return gateway.get(request.target, {
    ...request.init,
    headers: {
      connection: 'close',
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  });
}

/** The status that every worker gives, once they agree on `status`. */
function everyWorkerSays(gateway: GatewayProcess, token: string, status: number): Promise<true> {
  return until(`${status} of every worker`, async () => {
    const answers = await Promise.all(Array.from({ length: 16 }, () => ask(gateway, token)));
    for (const answer of answers) await answer.arrayBuffer();
    return answers.every((answer) => answer.status === status);
  });
}

for (const transport of ['auto', 'node-http']) {
  test(`${transport}: RS256, ES256 and EdDSA pass, what must not pass gets the right refusal`, async () => {
    const [rsa, ec, ed, stranger] = await Promise.all([
      makeSigner('RS256', 'rsa'),
      makeSigner('ES256', 'ec'),
      makeSigner('EdDSA', 'ed'),
      makeSigner('RS256', 'rsa'),
    ]);
    const file = path.join(data.folder, 'keys.json');
    writeFileSync(file, await keySetOf(rsa, ec, ed));
    const gateway = await start(file, { QUANREN_GATEWAY_TRANSPORT: transport });
    for (const signer of [rsa, ec, ed]) {
      const token = await signToken(signer);
      for (const request of REQUESTS) {
        // The second and third time the token is remembered, and the user cached.
        for (let i = 0; i < 3; i++) {
          const response = await ask(gateway, token, request);
          assert.equal(response.status, 200, `${signer.alg} ${request.target}`);
          assert.match(await response.text(), request.answer);
        }
      }
    }

    const now = Math.floor(Date.now() / 1_000);
    const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'x', exp: now + 60, scope: 'match:read' };
    const publicPem = new TextEncoder().encode(await exportSPKI(rsa.publicKey));
    const good = await signToken(rsa);
    const [head, , signature] = good.split('.');
    const refused: Record<string, string> = {
      'alg none': `${base64url.encode('{"alg":"none"}')}.${base64url.encode(JSON.stringify(claims))}.`,
      'HS256 with the public key': await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256', kid: 'rsa' })
        .sign(publicPem),
      'HS256 with a secret': await new SignJWT(claims)
        .setProtectedHeader({ alg: 'HS256' })
        .sign(new Uint8Array(32)),
      'another issuer': await signToken(rsa, { iss: 'https://other.example' }),
      'another audience': await signToken(rsa, { aud: 'other' }),
      'no audience': await signToken(rsa, { aud: undefined }),
      expired: await signToken(rsa, { exp: now - SKEW_SECONDS - 1 }),
      'not yet valid': await signToken(rsa, { nbf: now + SKEW_SECONDS + 30 }),
      'no expiry': await signToken(rsa, { exp: undefined }),
      'no subject': await signToken(rsa, { sub: undefined }),
      'an unknown kid': await signToken({ ...rsa, kid: 'unknown' }),
      'a stranger under a known kid': await signToken(stranger),
      'other claims under a good signature': `${head}.${base64url.encode(JSON.stringify(claims))}.${signature}`,
      'no token at all': 'a.b.c',
      'an API key where none are taken': `qk_${'a'.repeat(43)}`,
    };
    for (const [name, token] of Object.entries(refused)) {
      for (const request of REQUESTS) {
        const response = await ask(gateway, token, request);
        assert.equal(response.status, 401, name);
        const challenge = response.headers.get('www-authenticate') ?? '';
        assert.match(
          challenge,
          /^Bearer realm="quanren", error="invalid_token", error_description="[^"]+"$/,
          name,
        );
        assert.equal(response.headers.get('content-type'), 'application/problem+json');
        assert.equal(((await response.json()) as { code: string }).code, 'unauthenticated');
      }
    }

    const missing = await ask(gateway, undefined);
    assert.equal(missing.status, 401);
    assert.equal(missing.headers.get('www-authenticate'), 'Bearer realm="quanren"');

    for (const scope of [undefined, '', 'read tags:write crowds:write crowds:run', 'match:readx']) {
      const powerless = await signToken(ec, { scope });
      for (const request of REQUESTS) {
        const response = await ask(gateway, powerless, request);
        assert.equal(response.status, 403, scope);
        assert.equal(
          response.headers.get('www-authenticate'),
          'Bearer realm="quanren", error="insufficient_scope", scope="match:read"',
        );
        assert.equal(((await response.json()) as { code: string }).code, 'forbidden');
      }
    }

    // Within the skew, and then no more: a token that is remembered still ends.
    const soon = Math.floor(Date.now() / 1_000) + SKEW_SECONDS;
    const brief = await signToken(ed, { exp: soon, nbf: soon });
    assert.equal((await ask(gateway, brief)).status, 200);
    await everyWorkerSays(gateway, brief, 401);

    for (const target of ['/healthz', '/readyz', '/openapi.json'])
      assert.equal((await gateway.get(target)).status, 200, 'these ask nobody');
    await gateway.stop();
  });
}

/** With it, what a key set no longer has passes for two seconds at the longest. */
const QUICK = { QUANREN_AUTH_KEYS_MAX_AGE_SECONDS: '2' };

test('keys rotate in a file: the new one passes, the old one no longer; a file torn meanwhile changes nothing', async () => {
  const [old, fresh] = await Promise.all([makeSigner('ES256', 'old'), makeSigner('ES256', 'new')]);
  const [byOld, byNew] = [await signToken(old), await signToken(fresh)];
  const file = path.join(data.folder, 'rotating.json');
  writeFileSync(file, await keySetOf(old));
  const gateway = await start(file, QUICK);
  await everyWorkerSays(gateway, byOld, 200);
  await everyWorkerSays(gateway, byNew, 401);
  writeFileSync(file, await keySetOf(old, fresh));
  await everyWorkerSays(gateway, byNew, 200);
  await everyWorkerSays(gateway, byOld, 200);
  writeFileSync(`${file}.new`, await keySetOf(fresh));
  renameSync(`${file}.new`, file);
  await everyWorkerSays(gateway, byOld, 401);
  await everyWorkerSays(gateway, byNew, 200);
  writeFileSync(file, '{"keys":');
  await until('the log names the setting', async () =>
    (await everyWorkerSays(gateway, await signToken(fresh), 200)) &&
    /QUANREN_AUTH_JWKS names/.test(gateway.output)
      ? true
      : undefined,
  );
});

/** An issuer's HTTPS address, with what it serves and how to make it fail. */
async function startIssuer() {
  const certificate = createCertificate();
  const caFile = path.join(data.folder, 'issuer.pem');
  writeFileSync(caFile, certificate.cert);
  const issuer = { status: 200, body: '', asked: 0 };
  const server = createServer(certificate, (_request, response) => {
    issuer.asked += 1;
    response.writeHead(issuer.status, { 'content-type': 'application/jwk-set+json' }).end(issuer.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { issuer, url: `https://127.0.0.1:${port}/keys`, environment: { NODE_EXTRA_CA_CERTS: caFile } };
}

test('keys rotate behind a URL; an issuer that is down locks nobody out who has a token', async () => {
  const { issuer, url, environment } = await startIssuer();
  const [old, fresh] = await Promise.all([makeSigner('RS256', 'old'), makeSigner('EdDSA', 'new')]);
  const [byOld, byNew] = [await signToken(old), await signToken(fresh)];
  issuer.body = await keySetOf(old);
  const gateway = await start(url, { ...environment, ...QUICK });
  await everyWorkerSays(gateway, byOld, 200);
  issuer.body = await keySetOf(fresh);
  await everyWorkerSays(gateway, byNew, 200);
  await everyWorkerSays(gateway, byOld, 401);

  issuer.status = 500;
  await until('the trouble is in the log', async () => {
    await everyWorkerSays(gateway, await signToken(fresh), 200);
    return /QUANREN_AUTH_JWKS names https:.*it answers 500/.test(gateway.output);
  });

  // Unknown keys must not make the gateway hammer the issuer: two workers, each at most once a second here.
  issuer.status = 200;
  const [askedBefore, sinceMs] = [issuer.asked, Date.now()];
  for (let i = 0; i < 100; i++) await ask(gateway, await signToken({ ...fresh, kid: `k${i}` }));
  const seconds = (Date.now() - sinceMs) / 1_000;
  const asked = issuer.asked - askedBefore;
  assert.ok(asked <= 2 * (2 * seconds + 1), `${asked} times in ${seconds} s`);
});

test('an issuer that cannot be reached at the start is said loudly, is 503 to callers, and is found later', async () => {
  const { issuer, url, environment } = await startIssuer();
  const signer = await makeSigner('ES256', 'k');
  const token = await signToken(signer);
  issuer.status = 404;
  const gateway = await start(url, { ...environment, ...QUICK });
  assert.match(gateway.output, /QUANREN_AUTH_JWKS names https:\S+, which cannot be read \(it answers 404\)/);
  for (const request of REQUESTS) {
    const response = await ask(gateway, token, request);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('retry-after'), '1');
    assert.equal(((await response.json()) as { code: string }).code, 'unavailable');
  }
  issuer.status = 200;
  issuer.body = await keySetOf(signer);
  await everyWorkerSays(gateway, token, 200);
});

test('every mistake of the settings is told at the start, with the setting', async () => {
  const signer = await makeSigner('ES256', 'k');
  const write = (name: string, text: string): string => {
    const file = path.join(data.folder, name);
    writeFileSync(file, text);
    return file;
  };
  const good = write('good.json', await keySetOf(signer));
  const secret = JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }] });
  const complete = { QUANREN_AUTH_ISSUER: ISSUER, QUANREN_AUTH_JWKS: good };
  const none = path.join(data.folder, 'none.json');
  const cases: [Record<string, string>, RegExp][] = [
    [{ ...complete, QUANREN_AUTH_JWKS: none }, /QUANREN_AUTH_JWKS names .*none.json.*ENOENT/],
    [{ ...complete, QUANREN_AUTH_JWKS: data.folder }, /QUANREN_AUTH_JWKS names .*EISDIR/],
    [
      { ...complete, QUANREN_AUTH_JWKS: write('torn.json', '{"keys":') },
      /QUANREN_AUTH_JWKS .*no JSON Web Key Set/,
    ],
    [
      { ...complete, QUANREN_AUTH_JWKS: write('other.json', '{"a":1}') },
      /QUANREN_AUTH_JWKS .*no JSON Web Key Set/,
    ],
    [
      { ...complete, QUANREN_AUTH_JWKS: write('empty.json', '{"keys":[]}') },
      /QUANREN_AUTH_JWKS .*public key/,
    ],
    [{ ...complete, QUANREN_AUTH_JWKS: write('secret.json', secret) }, /QUANREN_AUTH_JWKS .*public key/],
    [{ ...complete, QUANREN_AUTH_JWKS: 'http://keys.example/jwks' }, /QUANREN_AUTH_JWKS .*https URL/],
    [{ ...complete, QUANREN_AUTH_JWKS: 'https://' }, /QUANREN_AUTH_JWKS .*https URL/],
    [{ QUANREN_AUTH_JWKS: good }, /QUANREN_AUTH_ISSUER/],
    [{ ...complete, QUANREN_AUTH_AUDIENCE: '' }, /QUANREN_AUTH_AUDIENCE/],
    [{ QUANREN_AUTH_API_KEYS_FILE: none }, /QUANREN_AUTH_API_KEYS_FILE names .*none.json/],
    [
      { QUANREN_AUTH_API_KEYS_FILE: write('plain.json', '[{"id":"a","key":"qk_x"}]') },
      /QUANREN_AUTH_API_KEYS_FILE/,
    ],
    [{ QUANREN_AUTH_KEYS_MAX_AGE_SECONDS: '0' }, /QUANREN_AUTH_KEYS_MAX_AGE_SECONDS/],
  ];
  await Promise.all(
    cases.map(([environment, message]) =>
      assert.rejects(GatewayProcess.start(data, environment), { message }, JSON.stringify(environment)),
    ),
  );
});
