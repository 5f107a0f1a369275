/** `quanren start` with TLS and authentication on: both servers speak TLS alone, and the commands find their way in. */
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

const operator = createApiKey('operator', ['crowds:run', 'read', 'match:read']);
const reader = createApiKey('reader', ['read']);
const signer = await makeSigner('ES256', 'k');
const certFile = write('cert.pem', cert);
const SECURE = {
  QUANREN_TLS_CERT_FILE: certFile,
  QUANREN_TLS_KEY_FILE: write('key.pem', key),
  QUANREN_AUTH_API_KEYS_FILE: write('api-keys.json', JSON.stringify([operator.entry, reader.entry])),
  QUANREN_AUTH_JWKS: write('jwks.json', await keySetOf(signer)),
  QUANREN_AUTH_ISSUER: ISSUER,
  QUANREN_AUTH_AUDIENCE: AUDIENCE,
  QUANREN_PLATFORM_HOST: '0.0.0.0',
  QUANREN_GATEWAY_HOST: '0.0.0.0',
};
const TRUSTING = { ...SECURE, NODE_EXTRA_CA_CERTS: certFile };
const RUN = ['crowd', 'run', 'premium_users', '--json'];

async function ask(port: string | undefined, target: string, apiKey?: string) {
  const response = await fetch(`https://127.0.0.1:${port}${target}`, {
    dispatcher: trust,
    headers: apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` },
    signal: AbortSignal.timeout(10_000),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

test('beyond loopback with TLS and authentication', { timeout: 120_000 }, async (t) => {
  const running = await quanren.start(TRUSTING);
  const { QUANREN_PLATFORM_PORT: platform, QUANREN_GATEWAY_PORT: gateway } = quanren.environment;

  await t.test('what is printed to try says https and how to show a key', () => {
    const urls = Array.from(running.stdout.matchAll(/curl.* '(https?:[^']+)'/g), ([, url = '']) => url);
    assert.equal(urls.length, 4);
    assert.ok(
      urls.every((url) => url.startsWith('https://')),
      urls.join(),
    );
    assert.doesNotMatch(running.stdout, /are off/);
  });

  await t.test('both servers answer a key of the right scope, and nobody else', async () => {
    assert.equal((await ask(platform, '/crowds/premium_users', operator.key)).status, 200);
    assert.equal((await ask(gateway, '/match?uid=00004', operator.key)).status, 200);
    for (const port of [platform, gateway]) {
      const target = port === platform ? '/crowds' : '/match?uid=00004';
      assert.equal((await ask(port, target)).status, 401);
      assert.equal((await ask(port, target, 'wrong')).status, 401);
    }
    assert.equal((await ask(gateway, '/match?uid=00004', reader.key)).status, 403);
    await assert.rejects(
      fetch(`http://127.0.0.1:${platform}/crowds`, { signal: AbortSignal.timeout(5_000) }),
    );
  });

  await t.test('both take a token of the issuer, each for its own scopes', async () => {
    const app = await signToken(signer, { scope: 'match:read' });
    const match = '/match?uid=00020&crowdCode=lapsed_premium_users';
    assert.equal((await ask(gateway, match, app)).json.isMatch, true);
    assert.equal((await ask(platform, '/crowds', app)).status, 403);
    const auditor = await signToken(signer, { scope: 'read' });
    assert.equal((await ask(gateway, match, auditor)).status, 403);
    assert.equal((await ask(platform, '/crowds', auditor)).status, 200);
  });

  await t.test(
    'a command shows its key over TLS; without one, or without trust, it says what to do',
    async () => {
      const run = await quanren.command(RUN, { ...TRUSTING, QUANREN_CLI_TOKEN: operator.key }).end();
      assert.equal(run.code, 0, run.stderr);
      const nobody = await quanren.command(RUN, TRUSTING).end();
      assert.notEqual(nobody.code, 0);
      assert.match(nobody.stderr, /QUANREN_CLI_TOKEN/);
      const reading = await quanren.command(RUN, { ...TRUSTING, QUANREN_CLI_TOKEN: reader.key }).end();
      assert.notEqual(reading.code, 0);
      assert.match(reading.stderr, /crowds:run/);
      const distrusting = await quanren.command(RUN, { ...SECURE, QUANREN_CLI_TOKEN: operator.key }).end();
      assert.notEqual(distrusting.code, 0);
      assert.match(distrusting.stderr, /NODE_EXTRA_CA_CERTS/);
    },
  );
});

test('a mistake in the settings of TLS, authentication or addresses is told by name, and nothing is left', async () => {
  const other = await Quanren.create(1);
  const open = Object.fromEntries(
    Object.entries(SECURE).filter(([name]) => !name.startsWith('QUANREN_AUTH_')),
  );
  const { QUANREN_AUTH_JWKS: _jwks, ...trustingNobody } = SECURE;
  const cases: [Record<string, string>, RegExp][] = [
    [open, /0\.0\.0\.0 is refused because authentication is off.*QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS/],
    [trustingNobody, /QUANREN_AUTH_ISSUER does nothing without QUANREN_AUTH_JWKS/],
    [{ ...SECURE, QUANREN_TLS_CERT_FILE: `${certFile}.none` }, /QUANREN_TLS_CERT_FILE names .*ENOENT/],
    [{ ...SECURE, QUANREN_AUTH_JWKS: certFile }, /QUANREN_AUTH_JWKS names .*no JSON Web Key Set/],
    [{ QUANREN_GATEWAY_HOST: '192.0.2.1' }, /192\.0\.2\.1 is refused/],
    [{ ...SECURE, QUANREN_GATEWAY_HOST: '192.0.2.1' }, /QUANREN_GATEWAY_HOST is 192\.0\.2\.1/],
  ];
  try {
    for (const [environment, message] of cases) {
      const refused = await other.command(['start'], { ...environment, QUANREN_DEMO: 'false' }).end();
      assert.equal(refused.code, 3, refused.stderr);
      assert.match(refused.stderr, message);
      assert.deepEqual([...other.processes().values()], []);
    }
  } finally {
    await other.remove();
  }
});
