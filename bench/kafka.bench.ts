/**
 * The bus over a Kafka of one broker. As it comes, Kafka does not sync to disk before it
 * acknowledges, and relies on replicas, which there are none of here.
 */
import { startTestEngine } from '../test/support/engines.js';
import { measureLatency, measureThroughput, type Place } from './bus/measure-bus.js';

const { engine, remove } = await startTestEngine('kafka', { jvm: {} });
const over = (prefix: string): Place => ({
  folder: '',
  kafka: { brokers: [engine.addresses.kafka ?? ''], prefix, tls: null, sasl: null },
});
try {
  await measureLatency(over('latency-'));
  await measureThroughput(over('throughput-'));
} finally {
  await remove();
}
