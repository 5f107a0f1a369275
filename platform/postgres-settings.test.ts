import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { QuanrenError } from '../errors/quanren-error.js';
import { createCertificate } from '../test/support/certificate.js';
import { readOwnPostgres } from './postgres-settings.js';

const read = (url: string, ownerUrl = '') =>
  readOwnPostgres({ 'postgres.url': url, 'postgres.ownerUrl': ownerUrl });

test('without a URL the embedded Postgres is meant', () => {
  assert.equal(read(''), null);
});

test('a URL is taken apart, escapes and defaults included; the owner is optional', () => {
  const app = { host: '127.0.0.1', port: 5432, user: 'app', password: 'a b@/', database: 'quanren' };
  assert.deepEqual(read('postgres://app:a%20b%40%2F@127.0.0.1/quanren'), { app, owner: null });
  assert.deepEqual(read('postgresql://app@[::1]:6000/d', 'postgres://own@localhost/d'), {
    app: { host: '::1', port: 6000, user: 'app', password: '', database: 'd' },
    owner: { host: 'localhost', port: 5432, user: 'own', password: '', database: 'd' },
  });
});

test('beyond loopback the server is verified, unless the URL says otherwise', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-url-'));
  try {
    const file = path.join(folder, 'authority.pem');
    const { cert } = createCertificate();
    writeFileSync(file, cert);
    const url = 'postgres://app:x@db.example.com/quanren';
    assert.equal(read(url)?.app.ssl, true);
    assert.equal(read(`${url}?sslmode=verify-full`)?.app.ssl, true);
    assert.deepEqual(read(`${url}?sslrootcert=${encodeURIComponent(file)}`)?.app.ssl, { ca: cert });
    writeFileSync(file, 'no PEM');
    assert.throws(
      () => read(`${url}?sslrootcert=${encodeURIComponent(file)}`),
      /sslrootcert\) names .* in PEM/,
    );
    assert.equal(read(`${url}?sslmode=disable`)?.app.ssl, undefined);
    assert.equal(read('postgres://app:x@127.0.0.1/quanren?sslmode=verify-full')?.app.ssl, true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what cannot be used is refused with its setting, and the password is not told', () => {
  const wrong = [
    'app:sesame@host/db',
    'mysql://app:sesame@host/db',
    'postgres://app:sesame@host',
    'postgres://:sesame@host/db',
    'postgres://app:sesame@host/db?sslmode=require',
    'postgres://app:sesame@host/db?options=-csearch_path=x',
    'postgres://app:sesame@host/db?sslrootcert=/nowhere/ca.pem',
    'postgres://app:sesame@host/%E0%A4%A',
  ];
  for (const url of wrong) {
    for (const [app, owner, setting] of [
      [url, '', 'QUANREN_POSTGRES_URL'],
      ['postgres://app@host/db', url, 'QUANREN_POSTGRES_OWNER_URL'],
    ] as const) {
      assert.throws(
        () => read(app, owner),
        (error) =>
          error instanceof QuanrenError &&
          error.code === 'set_up' &&
          error.message.startsWith(`${setting} `) &&
          !error.message.includes('sesame'),
        url,
      );
    }
  }
  assert.throws(() => read('', 'postgres://own@host/db'), { code: 'set_up' });
});
