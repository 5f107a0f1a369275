/** `quanren start` with TLS and authentication: it comes up, answers those who may ask, and tells mistakes by name. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Agent, fetch } from 'undici';
import { createApiKey } from '../../auth/api-keys.js';
import { createCertificate } from '../support/certificate.js';
import { AUDIENCE, ISSUER, keySetOf, makeSigner, signToken } from '../support/tokens.js';
import { Quanren } from './quanren-process.js';

const quanren = await Quanren.create(1);
const { cert, key } = createCertificate();
const trust = new Agent({ connect: { ca: cert } });
after(async () => {
  await trust.destroy();
  await quanren.remove();
});

function write(name: string, text: string): string {
  const file = path.join(quanren.folder, name);
  writeFileSync(file, text);
  return file;
}

const signer = await makeSigner('ES256', 'k');
const operator = createApiKey('operator', ['read', 'crowds:run']);
const certFile = write('cert.pem', cert);
const SECURE = {
  QUANREN_TLS_CERT_FILE: certFile,
  QUANREN_TLS_KEY_FILE: write('key.pem', key),
  QUANREN_AUTH_JWKS: write('jwks.json', await keySetOf(signer)),
  QUANREN_AUTH_ISSUER: ISSUER,
  QUANREN_AUTH_AUDIENCE: AUDIENCE,
  QUANREN_AUTH_API_KEYS_FILE: write('api-keys.json', JSON.stringify([operator.entry])),
};
const overTls = (url: string) => url.replace('http:', 'https:');

async function ask(url: string, token?: string): Promise<{ status: number; json: Record<string, unknown> }> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(overTls(url), { dispatcher: trust, headers });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

test('with TLS and authentication it comes up, and answers those who may ask', {
  timeout: 90_000,
}, async () => {
  const running = await quanren.start(SECURE);
  assert.match(running.stdout, /match gateway {2}https:/);
  assert.doesNotMatch(running.stdout, /are off|is off/);
  assert.match(running.stdout, /curl -H "Authorization: Bearer \$TOKEN" 'https:/);

  const app = await signToken(signer, { scope: 'match:read' });
  const match = `${quanren.gatewayUrl}/match?uid=00020&crowdCode=lapsed_premium_users`;
  assert.deepEqual((await ask(match, app)).json, {
    uid: '00020',
    crowdCode: 'lapsed_premium_users',
    isMatch: true,
    status: 'fresh',
  });
  assert.equal((await ask(match)).status, 401);
  assert.equal((await ask(match, operator.key)).status, 403);
  const crowd = `${quanren.platformUrl}/crowds/premium_users`;
  assert.equal((await ask(crowd, operator.key)).status, 200);
  assert.equal((await ask(crowd, app)).status, 403);
  assert.equal((await ask(crowd)).status, 401);

  const run = ['crowd', 'run', 'premium_users', '--dt', '1998-06-30'];
  const trusting = { ...SECURE, NODE_EXTRA_CA_CERTS: certFile };
  const done = await quanren.command(run, { ...trusting, QUANREN_CLI_TOKEN: operator.key }).end();
  assert.equal(done.code, 0, done.stderr);
  const without = await quanren.command(run, trusting).end();
  assert.equal(without.code, 3, without.stderr);
  assert.match(without.stderr, /Authorization/);
  const untrusting = await quanren.command(run, SECURE).end();
  assert.equal(untrusting.code, 3);
  assert.match(untrusting.stderr, /DEPTH_ZERO_SELF_SIGNED_CERT/);

  running.child.kill('SIGINT');
  assert.equal((await running.end()).code, 0);
});

test('a mistake in its settings is told by name, and nothing is left', { timeout: 90_000 }, async () => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ ...SECURE, QUANREN_TLS_CERT_FILE: `${certFile}.none` }, /QUANREN_TLS_CERT_FILE names .*ENOENT/],
    [{ ...SECURE, QUANREN_AUTH_JWKS: certFile }, /QUANREN_AUTH_JWKS names .*no JSON Web Key Set/],
    [{ QUANREN_GATEWAY_HOST: '0.0.0.0' }, /0\.0\.0\.0 is refused .*QUANREN_AUTH_JWKS/],
    [{ QUANREN_GATEWAY_HOST: '192.0.2.1' }, /QUANREN_GATEWAY_HOST is 192\.0\.2\.1/],
  ];
  for (const [environment, message] of cases) {
    const { code, stderr } = await quanren.command(['start'], environment).end();
    assert.equal(code, 3, stderr);
    assert.match(stderr, message);
    assert.deepEqual([...quanren.processes().values()], []);
  }
});
