/** Which store, event bus and shared cache are used: one line, for the log and for the person who starts it. */
import { type Address, formatAddress } from '../config/addresses.js';
import type { KafkaConnection } from '../events/kafka/kafka-connection.js';
import type { StoreLocation } from '../stores/store-location.js';
import type { RedisLocation } from './cache/redis/redis-location.js';

export interface BackEndsInUse {
  readonly stores: StoreLocation;
  /** null: the embedded bus. */
  readonly kafka: KafkaConnection | null;
  /** undefined: none. */
  readonly redis: RedisLocation | undefined;
}

/** `store HBase (hm1:16000), bus Kafka with TLS (k1:9092), shared cache none`. Never holds a password. */
export function describeBackEnds({ stores, kafka, redis }: BackEndsInUse): string {
  const store =
    stores.kind === 'embedded' ? 'embedded' : describe('HBase', stores.tls, addresses(stores.nodes));
  const bus = kafka === null ? 'embedded' : describe('Kafka', kafka.tls, kafka.brokers);
  const cache =
    redis === undefined ? 'none' : describe(REDIS_KINDS[redis.kind], redis.tls, addresses(redis.nodes));
  return `store ${store}, bus ${bus}, shared cache ${cache}`;
}

const REDIS_KINDS = { server: 'Redis', cluster: 'Redis Cluster', sentinel: 'Redis by sentinels' } as const;

const addresses = (nodes: readonly Address[]): string[] => nodes.map(formatAddress);

function describe(name: string, tls: object | null | undefined, nodes: readonly string[]): string {
  return `${name}${tls ? ' with TLS' : ''} (${nodes.join(', ')})`;
}
