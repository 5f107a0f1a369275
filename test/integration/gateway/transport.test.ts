import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { chooseTransport } from '../../../gateway/transport/choose-transport.js';
import { nodeHttpTransport } from '../../../gateway/transport/node-http.js';
import { SLOWEST_REQUEST_MS, testTransport } from '../../../gateway/transport/transport.contract.js';
import { createHead } from '../../../gateway/transport/transport.js';
import { createCertificate } from '../../support/certificate.js';

testTransport('node:http', nodeHttpTransport);

const { transport, warning } = chooseTransport('auto');
if (warning === undefined) testTransport('uws', transport);
else test('uWebSockets.js', { skip: warning }, () => {});

test('a transport that cannot share its port refuses one that is taken', async () => {
  const options = { host: '127.0.0.1', get: {}, other: () => {}, onHandlerError: () => {} };
  const first = await nodeHttpTransport.listen({ ...options, port: 0 });
  await assert.rejects(nodeHttpTransport.listen({ ...options, port: first.port }), { code: 'set_up' });
  first.close();
});

for (const each of new Set([transport, nodeHttpTransport])) {
  const title = `${each.name}: speaks TLS, waits no longer for a handshake than for a request, and refuses files that do not do`;
  test(title, { timeout: SLOWEST_REQUEST_MS }, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'quanren-tls-'));
    const [certFile, keyFile] = [path.join(folder, 'cert.pem'), path.join(folder, 'key.pem')];
    const { cert, key } = createCertificate();
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    const options = {
      host: '127.0.0.1',
      port: 0,
      get: {},
      other: (exchange: { reply: (head: ReturnType<typeof createHead>, body: string) => void }) =>
        exchange.reply(createHead(200, {}), 'secret'),
      onHandlerError: () => {},
    };
    const server = await each.listen({ ...options, tls: { certFile, keyFile } });
    const mute = connect(server.port, '127.0.0.1').resume();
    const body = await new Promise<string>((resolve, reject) => {
      request({ port: server.port, ca: cert, agent: false }, (response) => {
        response.setEncoding('utf8').on('data', resolve);
      })
        .on('error', reject)
        .end();
    });
    assert.equal(body, 'secret');
    await once(mute, 'close');
    server.close();
    const missing = { certFile: path.join(folder, 'none.pem'), keyFile };
    await assert.rejects(each.listen({ ...options, tls: missing }), { code: 'set_up' });
    rmSync(folder, { recursive: true });
  });
}
