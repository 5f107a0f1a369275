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

test('a setting that does nothing without another one is told, where that is not given', () => {
  const alone = [
    ['KAFKA_TLS', 'true', 'KAFKA_BROKERS'],
    ['KAFKA_CA_FILE', 'ca.pem', 'KAFKA_TLS'],
    ['HBASE_TLS', 'true', 'HBASE_NODES'],
    ['HBASE_CA_FILE', 'ca.pem', 'HBASE_TLS'],
    ['REDIS_CLUSTER', 'true', 'REDIS_URL'],
    ['REDIS_SENTINEL_NAME', 'main', 'REDIS_URL'],
    ['REDIS_SENTINEL_PASSWORD', 'hush', 'REDIS_SENTINEL_NAME'],
    ['REDIS_CA_FILE', 'ca.pem', 'REDIS_URL'],
    ['AUTH_ISSUER', 'me', 'AUTH_JWKS'],
  ];
  for (const [name, value, needed] of alone) {
    assert.throws(() => loadSettings({ [`QUANREN_${name}`]: value }), {
      code: 'set_up',
      message: `The settings have errors: QUANREN_${name} does nothing without QUANREN_${needed}: set that too, or remove this.`,
    });
  }
  const asByDefault = {
    QUANREN_KAFKA_TLS: 'false',
    QUANREN_REDIS_CLUSTER: 'false',
    QUANREN_REDIS_CA_FILE: '',
  };
  assert.equal(loadSettings(asByDefault)['kafka.tls'], false);
  const together = { QUANREN_KAFKA_TLS: 'true', QUANREN_KAFKA_BROKERS: 'a:1' };
  assert.equal(loadSettings(together)['kafka.tls'], true);
});
