import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkExposure, isLoopback } from './exposure.js';

test('loopback is told from other addresses', () => {
  for (const host of ['127.0.0.1', '127.8.9.10', '::1', '[::1]', 'localhost'])
    assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'localhost.example', '127.0.0.1.example', ''])
    assert.ok(!isLoopback(host), host);
});

test('only loopback may be open', () => {
  const open = { host: '127.0.0.1', authIsOn: false, tlsIsOn: false, isUnsafeAllowed: false };
  assert.match(checkExposure(open) ?? '', /off/);
  assert.equal(checkExposure({ ...open, authIsOn: true }), undefined);
  for (const half of [{}, { authIsOn: true }, { tlsIsOn: true }])
    assert.throws(() => checkExposure({ ...open, ...half, host: '0.0.0.0' }), { code: 'set_up' });
  assert.equal(checkExposure({ ...open, host: '0.0.0.0', authIsOn: true, tlsIsOn: true }), undefined);
  assert.match(checkExposure({ ...open, host: '0.0.0.0', isUnsafeAllowed: true }) ?? '', /ANYONE/);
});
