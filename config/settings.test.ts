import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentName, loadSettings } from './settings.js';

test('defaults hold where nothing is given', () => {
  const settings = loadSettings({});
  assert.equal(settings['gateway.port'], 8080);
  assert.equal(settings['time.zone'], 'Asia/Shanghai');
});

test('the environment sets a setting', () => {
  assert.equal(environmentName('gateway.metricsPort'), 'QUANREN_GATEWAY_METRICS_PORT');
  assert.equal(loadSettings({ QUANREN_GATEWAY_METRICS_PORT: '9000' })['gateway.metricsPort'], 9000);
});

test('all errors are told at once, with what each setting takes', () => {
  assert.throws(
    () =>
      loadSettings({ QUANREN_GATEWAY_PORT: '0', QUANREN_TIME_ZONE: 'Mars/Base', QUANREN_GATEWEY_PORT: '1' }),
    (error: Error) =>
      error.message.includes("QUANREN_GATEWAY_PORT must be a whole number from 1 to 65535, not '0'") &&
      error.message.includes(
        "QUANREN_TIME_ZONE must be an IANA time zone such as Asia/Shanghai, not 'Mars/Base'",
      ) &&
      error.message.includes('there is no setting QUANREN_GATEWEY_PORT'),
  );
});
