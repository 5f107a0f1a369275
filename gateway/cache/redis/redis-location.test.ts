import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { locateRedis, type RedisSettings } from './redis-location.js';

const NOTHING: RedisSettings = {
  'redis.url': '',
  'redis.cluster': false,
  'redis.sentinelName': '',
  'redis.sentinelPassword': '',
  'redis.caFile': '',
  'redis.instance': 'quanren',
};

test('no URL: no shared cache', () => {
  assert.equal(locateRedis(NOTHING), undefined);
});

const PLACES: { url: string; more?: Partial<RedisSettings>; is: object }[] = [
  {
    url: 'redis://localhost',
    is: { kind: 'server', nodes: [{ host: 'localhost', port: 6_379 }], tls: undefined },
  },
  {
    url: 'rediss://app:p%40ss:w%2Ford@cache.example:6380/3',
    is: { username: 'app', password: 'p@ss:w/ord', database: 3, tls: { caFile: '' } },
  },
  {
    url: 'redis://:secret@[::1]:7000/',
    is: { username: '', password: 'secret', nodes: [{ host: '::1', port: 7_000 }] },
  },
  {
    url: 'redis://a:1,b:2',
    more: { 'redis.cluster': true },
    is: {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    },
  },
  { url: 'redis://s1:26379,s2:26379', more: { 'redis.sentinelName': 'main' }, is: { kind: 'sentinel' } },
];
for (const { url, more, is } of PLACES) {
  test(`${url} ${JSON.stringify(more ?? {})}`, () => {
    const location = locateRedis({ ...NOTHING, 'redis.url': url, ...more });
    assert.deepEqual({ ...location, ...is }, location);
  });
}

const REFUSED: { url: string; more?: Partial<RedisSettings>; says?: RegExp }[] = [
  { url: 'http://secret@h' },
  { url: 'redis://u:se/secret@h', says: /write %2F for \// },
  { url: 'redis://u:se@secret@h', says: /%40 for @/ },
  { url: 'redis://u:secret@a', more: { 'redis.caFile': 'ca.pem' }, says: /write rediss:\/\// },
  {
    url: 'rediss://u:secret@a',
    more: { 'redis.caFile': import.meta.filename },
    says: /CA_FILE names .* in PEM/,
  },
  { url: 'redis://' },
  { url: 'redis://u:secret@h:0' },
  { url: 'redis://u:secret@h:70000' },
  { url: 'redis://u:secret@h/x' },
  { url: 'redis://u:secret%zz@h' },
  { url: 'redis://u:secret@a,b' },
  { url: 'redis://u:secret@a/1', more: { 'redis.cluster': true } },
  { url: 'redis://u:secret@a', more: { 'redis.cluster': true, 'redis.sentinelName': 'main' } },
  { url: 'redis://u:secret@a', more: { 'redis.instance': 'a}b' } },
  { url: 'rediss://u:secret@a', more: { 'redis.caFile': '/nowhere.pem' } },
];
for (const { url, more, says = /QUANREN_REDIS/ } of REFUSED) {
  test(`${url} ${JSON.stringify(more ?? {})} is refused, and the password is not told`, () => {
    assert.throws(
      () => locateRedis({ ...NOTHING, 'redis.url': url, ...more }),
      (error) =>
        error instanceof QuanrenError &&
        error.code === 'set_up' &&
        error.message.includes('QUANREN_REDIS') &&
        says.test(error.message) &&
        !error.message.includes('secret'),
    );
  });
}
