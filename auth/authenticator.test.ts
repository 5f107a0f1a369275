import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { base64url, exportSPKI, SignJWT } from 'jose';
import { AUDIENCE, ISSUER, keySetOf, makeSigner, type Signer, signToken } from '../test/support/tokens.js';
import { createApiKey } from './api-keys.js';
import { createAuthenticator, toAuthOptions } from './authenticator.js';
import type { AuthResult } from './principal.js';
import { refusalFor } from './refusal.js';

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-auth-'));
after(() => rmSync(folder, { recursive: true }));

const NOW_MS = 1_800_000_000_000;
const nowSeconds = NOW_MS / 1_000;

async function writeKeys(file: string, signers: readonly Signer[]): Promise<void> {
  writeFileSync(file, await keySetOf(...signers));
}

const sign = (signer: Signer, claims: Record<string, unknown> = {}) => signToken(signer, claims, NOW_MS);

function authenticatorFor(file: string, clock = { ms: NOW_MS }) {
  const jwt = {
    jwks: file,
    issuer: ISSUER,
    audience: 'quanren',
    clockSkewSeconds: 5,
    keysMaxAgeSeconds: 600,
  };
  return createAuthenticator({ jwt, now: () => clock.ms });
}

const reasonOf = (result: AuthResult) => (result.kind === 'failure' ? result.reason : 'accepted');

test('each of the three algorithms is accepted, and the second time the answer is no promise', async () => {
  const signers = await Promise.all(['RS256', 'ES256', 'EdDSA'].map((alg) => makeSigner(alg, alg)));
  const file = path.join(folder, 'three.json');
  await writeKeys(file, signers);
  const authenticator = authenticatorFor(file);
  for (const signer of signers) {
    const header = `Bearer ${await sign(signer)}`;
    const first = await authenticator.authenticate(header);
    assert.equal(first.kind === 'principal' && first.subject, 'app-1');
    assert.deepEqual(first.kind === 'principal' && [...first.scopes], ['match:read']);
    assert.equal(authenticator.authenticate(header), first);
  }
});

test('tokens that must not pass do not', async () => {
  const signer = await makeSigner('RS256', 'k');
  const stranger = await makeSigner('RS256', 'k');
  const file = path.join(folder, 'one.json');
  await writeKeys(file, [signer]);
  const authenticator = authenticatorFor(file);
  const publicPem = new TextEncoder().encode(await exportSPKI(signer.publicKey));
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: 'x', exp: nowSeconds + 60 };
  const unsigned = `${base64url.encode('{"alg":"none"}')}.${base64url.encode(JSON.stringify(claims))}.`;
  const confused = await new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k' }).sign(publicPem);
  const good = await sign(signer);
  const [head, , signature] = good.split('.');
  const bad: Record<string, string> = {
    expired: await sign(signer, { exp: nowSeconds - 6 }),
    'not yet valid': await sign(signer, { nbf: nowSeconds + 6 }),
    'another issuer': await sign(signer, { iss: 'https://other.example' }),
    'another audience': await sign(signer, { aud: 'other' }),
    'no expiry': await sign(signer, { exp: undefined }),
    'no subject': await sign(signer, { sub: undefined }),
    'signed by a stranger under a known kid': await sign(stranger),
    'an unknown kid': await sign({ ...signer, kid: 'unknown' }),
    'alg none': unsigned,
    'an HMAC made with the public key': confused,
    'other claims under a good signature': `${head}.${base64url.encode(JSON.stringify(claims))}.${signature}`,
    'not a token': 'a.b.c',
    'too long': 'a'.repeat(9_000),
  };
  for (const [name, token] of Object.entries(bad)) {
    assert.equal(reasonOf(await authenticator.authenticate(`Bearer ${token}`)), 'invalid', name);
  }
  assert.equal(reasonOf(await authenticator.authenticate(`Bearer ${good}`)), 'accepted');
  const withinSkew = await sign(signer, { exp: nowSeconds - 4, nbf: nowSeconds + 4 });
  assert.equal(reasonOf(await authenticator.authenticate(`Bearer ${withinSkew}`)), 'accepted');
  assert.equal(reasonOf(await authenticator.authenticate('')), 'missing');
  assert.equal(reasonOf(await authenticator.authenticate('Basic YTpi')), 'missing');
  assert.equal(reasonOf(await authenticator.authenticate('Bearer two words')), 'invalid');
});

test('a believed token is checked again once it has expired', async () => {
  const signer = await makeSigner('ES256', 'k');
  const file = path.join(folder, 'expiry.json');
  await writeKeys(file, [signer]);
  const clock = { ms: NOW_MS };
  const authenticator = authenticatorFor(file, clock);
  const header = `Bearer ${await sign(signer)}`;
  assert.equal(reasonOf(await authenticator.authenticate(header)), 'accepted');
  clock.ms += 64_999;
  assert.equal(reasonOf(await authenticator.authenticate(header)), 'accepted');
  clock.ms += 2;
  assert.equal(reasonOf(await authenticator.authenticate(header)), 'invalid');
});

test('keys rotate: a new key of the file is found, a withdrawn one is refused', async () => {
  const [old, fresh] = await Promise.all([makeSigner('ES256', 'old'), makeSigner('ES256', 'new')]);
  const file = path.join(folder, 'rotating.json');
  await writeKeys(file, [old]);
  const clock = { ms: NOW_MS };
  const authenticator = authenticatorFor(file, clock);
  const long = { exp: nowSeconds + 3_600 };
  const [byOld, byNew] = [`Bearer ${await sign(old, long)}`, `Bearer ${await sign(fresh, long)}`];
  assert.equal(reasonOf(await authenticator.authenticate(byOld)), 'accepted');
  await writeKeys(file, [fresh]);
  assert.equal(reasonOf(await authenticator.authenticate(byNew)), 'invalid', 'within the cooldown');
  clock.ms += 30_000;
  assert.equal(reasonOf(await authenticator.authenticate(byNew)), 'accepted');
  assert.equal(reasonOf(await authenticator.authenticate(byOld)), 'accepted', 'still believed');
  clock.ms += 5 * 60_000;
  assert.equal(reasonOf(await authenticator.authenticate(byOld)), 'invalid');
});

test('keys come from a URL; one that cannot be reached says nothing about the token', async () => {
  const signer = await makeSigner('EdDSA', 'k');
  const body = await keySetOf(signer);
  let asked = 0;
  let isUp = true;
  const server = createServer((_request, response) => {
    asked += 1;
    response.writeHead(isUp ? 200 : 500, { 'content-type': 'application/json' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${address.port}/jwks`;
  const header = `Bearer ${await sign(signer)}`;
  assert.equal(reasonOf(await authenticatorFor(url).authenticate(header)), 'accepted');
  const strangers = authenticatorFor(url);
  for (let i = 0; i < 20; i++)
    await strangers.authenticate(`Bearer ${await sign({ ...signer, kid: `u${i}` })}`);
  assert.ok(asked <= 3, `unknown kids fetched the keys ${asked} times`);
  isUp = false;
  assert.equal(reasonOf(await authenticatorFor(url).authenticate(header)), 'unavailable');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  assert.equal(reasonOf(await authenticatorFor(url).authenticate(header)), 'unavailable');
  assert.throws(() => authenticatorFor('http://keys.example/jwks'), { code: 'set_up' });
});

test('API keys: known ones pass with their scopes, others do not', async () => {
  const [mine, other] = [createApiKey('app-2', ['match:read']), createApiKey('app-3', ['read'])];
  const file = path.join(folder, 'keys.json');
  writeFileSync(file, JSON.stringify([mine.entry]));
  const authenticator = createAuthenticator({ apiKeysFile: file });
  const known = await authenticator.authenticate(`Bearer ${mine.key}`);
  assert.equal(known.kind === 'principal' && known.subject, 'app-2');
  assert.equal(refusalFor(known, 'match:read'), undefined);
  assert.equal(refusalFor(known, 'tags:write')?.error.code, 'forbidden');
  assert.equal(reasonOf(await authenticator.authenticate(`Bearer ${other.key}`)), 'invalid');
  assert.equal(reasonOf(await authenticator.authenticate(`Bearer ${mine.key}x`)), 'invalid');
  writeFileSync(file, JSON.stringify([{ id: 'x', sha256: mine.key, scopes: [] }]));
  assert.throws(() => createAuthenticator({ apiKeysFile: file }), { code: 'set_up' });
});

test('refusals carry the headers of RFC 6750', () => {
  const failure = (reason: 'missing' | 'invalid' | 'unavailable') =>
    refusalFor({ kind: 'failure', reason, detail: 'A "why".' }, 'match:read');
  assert.deepEqual(failure('missing')?.headers, { 'WWW-Authenticate': 'Bearer realm="quanren"' });
  assert.deepEqual(failure('invalid')?.headers, {
    'WWW-Authenticate': `Bearer realm="quanren", error="invalid_token", error_description="A 'why'."`,
  });
  assert.equal(failure('unavailable')?.error.code, 'unavailable');
});

test('without settings it is off; a key set without an issuer is refused', () => {
  const none = {
    jwks: '',
    issuer: '',
    audience: 'quanren',
    clockSkewSeconds: 30,
    keysMaxAgeSeconds: 600,
    apiKeysFile: '',
  };
  const off = createAuthenticator(toAuthOptions(none));
  assert.equal(off.isOn, false);
  assert.throws(() => toAuthOptions({ ...none, jwks: 'keys.json' }), { code: 'set_up' });
});
