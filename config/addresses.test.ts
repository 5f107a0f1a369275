import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAddress, parseAddress, parseAddresses } from './addresses.js';

for (const [text, host, port] of [
  ['hm1.example:16000', 'hm1.example', 16_000],
  ['my_kafka-1:1', 'my_kafka-1', 1],
  ['10.0.0.7:65535', '10.0.0.7', 65_535],
  ['[::1]:9092', '::1', 9_092],
  ['[::ffff:10.0.0.7]:9092', '::ffff:10.0.0.7', 9_092],
  ['größe.example:9092', 'größe.example', 9_092],
] as const) {
  test(`${text} is an address, and is written so again`, () => {
    const address = parseAddress(text);
    assert.deepEqual(address, { host, port });
    assert.equal(formatAddress(address), text);
  });
}

test('a port may be left out where there is a default', () => {
  assert.deepEqual(parseAddress('cache', 6_379), { host: 'cache', port: 6_379 });
  assert.deepEqual(parseAddress('[::1]', 6_379), { host: '::1', port: 6_379 });
  assert.deepEqual(parseAddress('cache:7', 6_379), { host: 'cache', port: 7 });
});

const BAD = [
  '',
  'a',
  'a:',
  ':1',
  'a:0',
  'a:65536',
  'a:99999999',
  'a:1x',
  'a:-1',
  'a:1:2',
  '::1:9092',
  '[::1]',
  '[a]:1',
  '[1:2]:1',
  'a b:1',
  'user@a:1',
  'a/b:1',
  'http://a:1',
  'a?:1',
];
for (const text of BAD) {
  test(`'${text}' is no address`, () => {
    assert.equal(parseAddress(text), undefined);
    assert.throws(() => parseAddresses('QUANREN_A', `x:1,${text}`), {
      code: 'set_up',
      message: 'QUANREN_A must be host:port, host:port …; number 2 is not.',
    });
  });
}

test('several stand with commas and blanks between', () => {
  const addresses = [
    { host: 'a', port: 1 },
    { host: 'b', port: 2 },
  ];
  assert.deepEqual(parseAddresses('QUANREN_A', ' a:1, b:2 '), addresses);
});
