/** Places on a broker for tests of the bus: each has topics of its own. */
import { randomUUID } from 'node:crypto';
import { Kafka, logLevel } from 'kafkajs';
import type { BusPlace } from '../../events/event-bus.contract.js';
import { AdminDesk } from '../../events/kafka/admin-desk.js';
import type { KafkaConnection } from '../../events/kafka/kafka-connection.js';
import { type KafkaEventBusOptions, openKafkaEventBus } from '../../events/kafka/kafka-event-bus.js';
import { TopicKeeper } from '../../events/kafka/topic-keeper.js';
import type { TestEngine } from './engines.js';

export function connectionTo({ engine }: TestEngine): KafkaConnection {
  const { kafka = '' } = engine.addresses;
  return { brokers: kafka.split(','), tls: null, sasl: null, prefix: `test-${randomUUID()}-` };
}

export interface KafkaPlace extends BusPlace {
  readonly connection: KafkaConnection;
}

export function createKafkaPlace(kafka: TestEngine, options?: KafkaEventBusOptions): KafkaPlace {
  const connection = connectionTo(kafka);
  const foreigner = new Kafka({ brokers: [...connection.brokers], logLevel: logLevel.NOTHING });
  return {
    connection,
    open: async () => openKafkaEventBus(connection, options),
    appendRaw: async (topic, partition, key, text) => {
      const desk = new AdminDesk(() => foreigner);
      await new TopicKeeper(desk.ask, (name) => connection.prefix + name).keep([topic]);
      await desk.close();
      const producer = foreigner.producer();
      await producer.connect();
      await producer.send({ topic: connection.prefix + topic, messages: [{ partition, key, value: text }] });
      await producer.disconnect();
    },
    remove: async () => {
      const admin = foreigner.admin();
      await admin.connect();
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(connection.prefix));
      if (topics.length > 0) await admin.deleteTopics({ topics });
      await admin.disconnect();
    },
  };
}
