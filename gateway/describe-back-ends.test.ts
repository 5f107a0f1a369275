import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadSettings } from '../config/settings.js';
import { readKafkaSettings } from '../events/kafka/kafka-connection.js';
import { locateStores } from '../stores/store-location.js';
import { locateRedis } from './cache/redis/redis-location.js';
import { describeBackEnds } from './describe-back-ends.js';

function describeFor(environment: Record<string, string>): string {
  const settings = loadSettings(environment);
  return describeBackEnds({
    stores: locateStores('/data/store', settings),
    kafka: readKafkaSettings(settings),
    redis: locateRedis(settings),
  });
}

test('what is used is said in one line, without passwords', () => {
  assert.equal(describeFor({}), 'store embedded, bus embedded, shared cache none');
  assert.equal(
    describeFor({
      QUANREN_HBASE_NODES: 'hm1:16000,[::1]:16000',
      QUANREN_KAFKA_BROKERS: 'k1:9092',
      QUANREN_KAFKA_TLS: 'true',
      QUANREN_KAFKA_USER: 'u',
      QUANREN_KAFKA_PASSWORD: 'hush',
      QUANREN_REDIS_URL: 'redis://u:hush@a:1,b:2',
      QUANREN_REDIS_CLUSTER: 'true',
    }),
    'store HBase (hm1:16000, [::1]:16000), bus Kafka with TLS (k1:9092), shared cache Redis Cluster (a:1, b:2)',
  );
});
