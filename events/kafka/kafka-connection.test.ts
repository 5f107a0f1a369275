import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { createCertificate } from '../../test/support/certificate.js';
import { type KafkaSettings, readKafkaSettings } from './kafka-connection.js';

const NONE: KafkaSettings = {
  'kafka.brokers': '',
  'kafka.prefix': '',
  'kafka.tls': false,
  'kafka.caFile': '',
  'kafka.user': '',
  'kafka.password': '',
  'kafka.mechanism': 'scram-sha-512',
};

describe('the kafka settings', () => {
  it('ask for no Kafka where there are no brokers', () => {
    assert.equal(readKafkaSettings(NONE), null);
  });

  it('name brokers, and what they are to be shown', () => {
    assert.deepEqual(readKafkaSettings({ ...NONE, 'kafka.brokers': 'a.b:9092, [::1]:9093' }), {
      brokers: ['a.b:9092', '[::1]:9093'],
      prefix: '',
      tls: null,
      sasl: null,
    });
    const folder = mkdtempSync(path.join(tmpdir(), 'quanren-kafka-'));
    const caFile = path.join(folder, 'ca.pem');
    const { cert } = createCertificate();
    writeFileSync(caFile, cert);
    const secure = readKafkaSettings({
      'kafka.brokers': 'a:1',
      'kafka.prefix': 'one.',
      'kafka.tls': true,
      'kafka.caFile': caFile,
      'kafka.user': 'u',
      'kafka.password': 'p',
      'kafka.mechanism': 'plain',
    });
    rmSync(folder, { recursive: true });
    assert.equal(secure?.tls?.ca, cert);
    assert.deepEqual(secure?.sasl, { mechanism: 'plain', username: 'u', password: 'p' });
    assert.equal(secure?.prefix, 'one.');
  });

  it('are refused where they do not go together, and no password is told', () => {
    const wrong: readonly [Partial<KafkaSettings>, RegExp][] = [
      [{ 'kafka.brokers': 'a' }, /host:port, host:port …; number 1 is not/],
      [{ 'kafka.brokers': 'a:1,u:hush@b:1' }, /QUANREN_KAFKA_BROKERS must be .*; number 2 is not/],
      [{ 'kafka.brokers': ' , ' }, /QUANREN_KAFKA_BROKERS must be .*; number 1 is not/],
      [{ 'kafka.prefix': 'a b' }, /QUANREN_KAFKA_PREFIX/],
      [{ 'kafka.tls': true, 'kafka.caFile': '/no/such/file' }, /cannot be read \(ENOENT\)/],
      [{ 'kafka.tls': true, 'kafka.caFile': import.meta.filename }, /QUANREN_KAFKA_CA_FILE names .* in PEM/],
      [{ 'kafka.user': 'u' }, /both needed/],
      [{ 'kafka.password': 'hush' }, /both needed/],
    ];
    for (const [given, sentence] of wrong) {
      assert.throws(
        () => readKafkaSettings({ ...NONE, 'kafka.brokers': 'a:1', ...given }),
        (error: Error & { code?: string }) =>
          error.code === 'set_up' && sentence.test(error.message) && !error.message.includes('hush'),
      );
    }
  });
});
