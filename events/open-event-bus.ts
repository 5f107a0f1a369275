/** The bus that the settings ask for: the embedded one, or Kafka. */
import { openEmbeddedEventBus } from './embedded/embedded-event-bus.js';
import type { EventBus } from './event-bus.js';
import type { KafkaConnection } from './kafka/kafka-connection.js';
import type { TopicName } from './topics.js';

export interface EventBusOptions {
  /** null: the embedded bus. */
  readonly kafka: KafkaConnection | null;
  /** Of the embedded bus. */
  readonly folder: string;
  /** Hears of each stored message that went to a dead-letter topic, to count it. */
  readonly onDeadLetter?: (topic: TopicName, reason: string) => void;
}

/** Throws `set_up` where the embedded bus cannot be opened. Kafka is first spoken to when the bus is used. */
export async function openEventBus({ kafka, folder, ...options }: EventBusOptions): Promise<EventBus> {
  if (kafka === null) return openEmbeddedEventBus(folder, options);
  // kafkajs takes time and memory that nobody pays who does not use it.
  const { openKafkaEventBus } = await import('./kafka/kafka-event-bus.js');
  return openKafkaEventBus(kafka, options);
}
