import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { createCertificate } from '../test/support/certificate.js';
import { readAuthorities, readKeyPair } from './tls-files.js';

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-tls-files-'));
after(() => rmSync(folder, { recursive: true }));
const write = (name: string, content: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
};
const [one, other] = [createCertificate(), createCertificate('other.example')];
const noCertificate = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';

test('authorities are one certificate or more', () => {
  const bundle = `# ours\n${one.cert}\n${other.cert}`;
  assert.equal(readAuthorities('QUANREN_A_FILE', write('bundle.pem', bundle)).toString(), bundle);
});

for (const [name, content] of [
  ['empty', ''],
  ['text', 'hello'],
  ['key', one.key],
  ['damaged', noCertificate],
  ['half damaged', one.cert + noCertificate],
] as const) {
  test(`authorities, ${name}: refused with the setting and the file`, () => {
    const file = write(name, content);
    assert.throws(() => readAuthorities('QUANREN_A_FILE', file), {
      code: 'set_up',
      message: `QUANREN_A_FILE names ${file}, which does not hold certificates in PEM.`,
    });
  });
}

test('a certificate and its key are read; what does not belong together is told apart', () => {
  const [certFile, keyFile] = [write('cert.pem', one.cert), write('key.pem', one.key)];
  const settings = { certSetting: 'QUANREN_CERT', keySetting: 'QUANREN_KEY' };
  const pair = readKeyPair({ ...settings, certFile, keyFile });
  assert.deepEqual([pair.cert.toString(), pair.key.toString()], [one.cert, one.key]);
  const otherKey = write('other.pem', other.key);
  const wrong: [string, string, RegExp][] = [
    ['', keyFile, /^QUANREN_KEY is set and QUANREN_CERT is not/],
    [certFile, '', /^QUANREN_CERT is set and QUANREN_KEY is not/],
    [keyFile, keyFile, /^QUANREN_CERT names .*key\.pem, which holds no certificate/],
    [certFile, certFile, /^QUANREN_KEY names .*cert\.pem, which holds no private key/],
    [certFile, otherKey, /^The key of QUANREN_KEY \(.*other\.pem\) is not that of QUANREN_CERT/],
  ];
  for (const [cert, key, message] of wrong) {
    assert.throws(() => readKeyPair({ ...settings, certFile: cert, keyFile: key }), {
      code: 'set_up',
      message,
    });
  }
});
