import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../errors/quanren-error.js';
import { locateStores, type StoreSettings } from './store-location.js';

const NOTHING: StoreSettings = {
  'hbase.nodes': '',
  'hbase.user': 'quanren',
  'hbase.tls': false,
  'hbase.caFile': '',
  'hbase.certFile': '',
  'hbase.keyFile': '',
};

test('no nodes: the embedded store', () => {
  assert.deepEqual(locateStores('/data/store', NOTHING), { kind: 'embedded', folder: '/data/store' });
});

test('nodes by name and by address', () => {
  const location = locateStores('', {
    ...NOTHING,
    'hbase.nodes': 'hm1.example:16000, 10.0.0.7:16020,[::1]:16020',
  });
  assert.deepEqual(location, {
    kind: 'hbase',
    nodes: [
      { host: 'hm1.example', port: 16_000 },
      { host: '10.0.0.7', port: 16_020 },
      { host: '::1', port: 16_020 },
    ],
    user: 'quanren',
    tls: undefined,
  });
});

for (const nodes of ['hm1', 'hm1:0', 'hm1:65536', 'hm1:16000,', '::1:16000', 'http://hm1:16000', 'h m:1']) {
  test(`'${nodes}' is refused, and the setting is named`, () => {
    assert.throws(
      () => locateStores('', { ...NOTHING, 'hbase.nodes': nodes }),
      /QUANREN_HBASE_NODES must be host:port/,
    );
  });
}

const ON = { ...NOTHING, 'hbase.nodes': 'hm1:16000', 'hbase.tls': true };
const REFUSED: { why: string; settings: StoreSettings; says: RegExp }[] = [
  {
    why: 'a certificate without its key',
    settings: { ...ON, 'hbase.certFile': 'cert.pem' },
    says: /HBASE_CERT_FILE is set and QUANREN_HBASE_KEY_FILE is not/,
  },
  {
    why: 'a file that is not there',
    settings: { ...ON, 'hbase.caFile': '/nowhere.pem' },
    says: /CA_FILE names \/nowhere/,
  },
  {
    why: 'a file that is no PEM',
    settings: { ...ON, 'hbase.certFile': import.meta.filename, 'hbase.keyFile': import.meta.filename },
    says: /HBASE_CERT_FILE names .*, which holds no certificate in PEM/,
  },
  {
    why: 'authorities that are none',
    settings: { ...ON, 'hbase.caFile': import.meta.filename },
    says: /HBASE_CA_FILE names .* in PEM/,
  },
  { why: 'an empty user', settings: { ...ON, 'hbase.user': '' }, says: /HBASE_USER is empty/ },
];
for (const { why, settings, says } of REFUSED) {
  test(`${why}: refused`, () => {
    assert.throws(
      () => locateStores('', settings),
      (error) => error instanceof QuanrenError && error.code === 'set_up' && says.test(error.message),
    );
  });
}
