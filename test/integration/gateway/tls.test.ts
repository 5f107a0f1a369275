/** TLS through the gateway's own process, on every transport, with a certificate made here. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { createApiKey } from '../../../auth/api-keys.js';
import { createCertificate } from '../../support/certificate.js';
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

function write(name: string, text: string): string {
  const file = path.join(data.folder, name);
  writeFileSync(file, text);
  return file;
}

const { cert, key } = createCertificate();
const certFile = write('cert.pem', cert);
const keyFile = write('key.pem', key);
const TLS = { QUANREN_TLS_CERT_FILE: certFile, QUANREN_TLS_KEY_FILE: keyFile };
const apiKey = createApiKey('app', ['match:read']);
const AUTH = { QUANREN_AUTH_API_KEYS_FILE: write('api-keys.json', JSON.stringify([apiKey.entry])) };

async function start(environment: Record<string, string>, ca?: string): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start(data, environment, ca);
  gateways.push(gateway);
  return gateway.ready();
}

/** The protocol that is agreed on, or the reason why none is. */
async function shakeHands(gateway: GatewayProcess, options: ConnectionOptions): Promise<string> {
  const port = Number(new URL(gateway.url).port);
  const socket = connectTls({ host: '127.0.0.1', port, ca: cert, ...options });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(5_000) });
    return socket.getProtocol() ?? '';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
  }
}

for (const transport of ['auto', 'node-http']) {
  test(`${transport}: beyond loopback with TLS and authentication; nothing is said without TLS`, async () => {
    const environment = {
      ...TLS,
      ...AUTH,
      QUANREN_GATEWAY_HOST: '0.0.0.0',
      QUANREN_GATEWAY_TRANSPORT: transport,
    };
    const gateway = await start(environment, cert);
    const headers = { authorization: `Bearer ${apiKey.key}` };
    for (let i = 0; i < 20; i++) {
      const response = await gateway.get('/match?uid=u1', { headers });
      assert.equal(await response.text(), '{"uid":"u1","userCrowds":["vip"],"status":"fresh"}');
    }
    const uids = Array.from({ length: 1_000 }, (_, i) => `u${i}`);
    const batch = await gateway.get('/match/batch', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ uids }),
    });
    const { results } = (await batch.json()) as { results: { uid: string }[] };
    assert.deepEqual(
      results.map(({ uid }) => uid),
      uids,
      'a reply of many records comes whole',
    );
    assert.equal((await gateway.get('/match?uid=u1')).status, 401);

    assert.equal(await shakeHands(gateway, {}), 'TLSv1.3');
    assert.equal(await shakeHands(gateway, { maxVersion: 'TLSv1.2' }), 'TLSv1.2');
    // The client would speak it: what refuses is the server.
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    assert.match(await shakeHands(gateway, old), /ALERT_PROTOCOL_VERSION|ECONNRESET/);
    assert.equal(await shakeHands(gateway, { ca: createCertificate().cert }), 'DEPTH_ZERO_SELF_SIGNED_CERT');

    const plain = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    let received = '';
    plain.setEncoding('latin1').on('data', (text: string) => {
      received += text;
    });
    plain.on('error', () => {});
    plain.end('GET /match?uid=u1 HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(plain, 'close', { signal: AbortSignal.timeout(15_000) });
    assert.doesNotMatch(received, /vip|HTTP\/1\.1 [23]/);
    assert.equal((await gateway.get('/healthz')).status, 200);
    await gateway.stop();
    assert.equal(gateway.child.exitCode, 0);
  });
}

test('beyond loopback it needs both, or the honest setting, which is said loudly', async () => {
  const beyond = { QUANREN_GATEWAY_HOST: '0.0.0.0' };
  const refused = (environment: Record<string, string>, message: RegExp) =>
    assert.rejects(GatewayProcess.start(data, { ...beyond, ...environment }), { message });
  const unsafe =
    /0\.0\.0\.0 is refused because authentication and TLS are off.*QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS/;
  await refused({}, unsafe);
  await refused(TLS, /0\.0\.0\.0 is refused because authentication is off.*QUANREN_AUTH_JWKS/);
  await refused(AUTH, /0\.0\.0\.0 is refused because TLS is off.*QUANREN_TLS_CERT_FILE/);
  await refused(
    { QUANREN_GATEWAY_HOST: '::', QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS: 'false' },
    /:: is refused/,
  );

  const open = await start({ ...beyond, QUANREN_UNSAFE_LISTEN_WITHOUT_AUTH_AND_TLS: 'true' });
  assert.match(open.output, /0\.0\.0\.0 is not loopback: ANYONE may ask/);
  await open.stop();
  const loopback = await start({});
  assert.match(loopback.output, /authentication and TLS are off: every program on this machine may ask/);
  await loopback.stop();
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
  all?.some(({ address }) => address === '::1'),
);
for (const transport of ['auto', 'node-http']) {
  test(`${transport}: it listens on IPv6, which is loopback too`, { skip: !hasIpv6 }, async () => {
    const environment = { QUANREN_GATEWAY_HOST: '::1', QUANREN_GATEWAY_TRANSPORT: transport };
    const gateway = await GatewayProcess.start(data, environment);
    gateways.push(gateway);
    assert.equal(gateway.saidUrl, gateway.url.replace('127.0.0.1', '[::1]'));
    assert.equal((await fetch(`${gateway.saidUrl}/healthz`)).status, 200);
    await gateway.stop();
  });
}

test('every mistake of the settings is told at the start, with the setting', async () => {
  const none = path.join(data.folder, 'none.pem');
  const [CERT, KEY] = ['QUANREN_TLS_CERT_FILE', 'QUANREN_TLS_KEY_FILE'];
  const cases: [Record<string, string>, RegExp][] = [
    [{ [CERT]: none, [KEY]: keyFile }, /QUANREN_TLS_CERT_FILE names .*none\.pem.*ENOENT/],
    [{ [CERT]: certFile, [KEY]: none }, /QUANREN_TLS_KEY_FILE names .*none\.pem.*ENOENT/],
    [{ [CERT]: certFile }, /QUANREN_TLS_CERT_FILE is set and QUANREN_TLS_KEY_FILE is not/],
    [{ [KEY]: keyFile }, /QUANREN_TLS_KEY_FILE is set and QUANREN_TLS_CERT_FILE is not/],
    [{ [CERT]: keyFile, [KEY]: keyFile }, /QUANREN_TLS_CERT_FILE names .*no certificate/],
    [{ [CERT]: certFile, [KEY]: certFile }, /QUANREN_TLS_KEY_FILE names .*no private key/],
    [
      { [CERT]: certFile, [KEY]: write('other.pem', createCertificate().key) },
      /The key of QUANREN_TLS_KEY_FILE .* is not that of QUANREN_TLS_CERT_FILE/,
    ],
    [
      { [CERT]: write('torn.pem', cert.slice(0, cert.length / 2)), [KEY]: keyFile },
      /QUANREN_TLS_CERT_FILE names .*torn\.pem.*no certificate/,
    ],
    [
      { QUANREN_GATEWAY_HOST: 'nowhere.invalid', ...TLS, ...AUTH },
      /QUANREN_GATEWAY_HOST is nowhere\.invalid/,
    ],
    [{ QUANREN_GATEWAY_HOST: '192.0.2.1', ...TLS, ...AUTH }, /QUANREN_GATEWAY_HOST is 192\.0\.2\.1/],
  ];
  await Promise.all(
    cases.map(([environment, message]) =>
      assert.rejects(GatewayProcess.start(data, environment), { message }, JSON.stringify(environment)),
    ),
  );
});
