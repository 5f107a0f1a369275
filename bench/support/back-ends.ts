/** The real back ends of a gateway on this machine: HBase in one JVM, Kafka, Redis. Needs Java and Maven. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EventBus } from '../../events/event-bus.js';
import { startHeartbeat } from '../../events/heartbeat.js';
import { openEventBus } from '../../events/open-event-bus.js';
import { openStores, type Stores } from '../../stores/open-stores.js';
import { crowdRule } from '../../test/support/crowd-rule.js';
import { startTestEngine, type TestEngine } from '../../test/support/engines.js';
import { startTestHBase } from '../../test/support/hbase.js';

export interface BackEnds {
  /** For what the gateway keeps itself. */
  readonly folder: string;
  readonly stores: Stores;
  readonly bus: EventBus;
  readonly hbasePids: readonly number[];
  /** Of all three. */
  readonly pids: readonly number[];
  /** The gateway's settings for HBase and Kafka, and the one for Redis. */
  readonly settings: Readonly<Record<string, string>>;
  readonly redisSettings: Readonly<Record<string, string>>;
  setCrowds(codes: readonly string[]): Promise<void>;
  remove(): Promise<void>;
}

/** With heartbeats on the bus and empty tables. */
export async function startBackEnds(): Promise<BackEnds> {
  const [hbase, kafka, redis] = await Promise.all([
    startTestHBase({ jvm: {} }),
    startTestEngine('kafka'),
    startTestEngine('redis'),
  ]);
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-bench-'));
  const broker = kafka.engine.addresses.kafka ?? '';
  const stores = openStores({ kind: 'hbase', nodes: hbase.nodes, user: 'bench', tls: undefined });
  const bus = await openEventBus({ kafka: { brokers: [broker], tls: null, sasl: null, prefix: '' }, folder });
  const stopBeats = startHeartbeat(bus, { onError: () => undefined });
  await stores.prepare();
  const pidOf = ({ engine }: Pick<TestEngine, 'engine'>, name: string): number =>
    engine.process(name).pid ?? 0;
  return {
    folder,
    stores,
    bus,
    hbasePids: [pidOf(hbase, 'hbase')],
    pids: [pidOf(hbase, 'hbase'), pidOf(kafka, 'kafka'), pidOf(redis, 'redis')],
    settings: {
      QUANREN_HBASE_NODES: hbase.engine.addresses.bootstrap ?? '',
      QUANREN_KAFKA_BROKERS: broker,
    },
    redisSettings: { QUANREN_REDIS_URL: `redis://${redis.engine.addresses.redis}` },
    async setCrowds(codes) {
      await bus.publish(
        'crowd-rules',
        codes.map((code) => crowdRule(code)),
      );
    },
    async remove() {
      await stopBeats();
      await bus.close();
      await stores.close();
      await Promise.all([hbase, kafka, redis].map((engine) => engine.remove()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
