/** The event bus over Kafka. Topics are made with what `topics.ts` says of them, before their first use. */
import type { TopicMessages } from 'kafkajs';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EventBus, OutgoingMessage, Publish, SubscribeOptions, Subscription } from '../event-bus.js';
import { encodeMessage } from '../message-checks.js';
import { partitionOf } from '../partition.js';
import type { DeadLetter } from '../stored-message.js';
import { deadLetterTopic, type TopicName, topicSpec } from '../topics.js';
import { AdminDesk } from './admin-desk.js';
import { createKafkaClient, type OpenKafka } from './kafka-client.js';
import type { KafkaConnection } from './kafka-connection.js';
import { openSubscription } from './kafka-subscription.js';
import { ClaimedProducer, OpenProducer } from './producers.js';
import { type Placed, SendQueue } from './send-queue.js';
import { TopicKeeper } from './topic-keeper.js';

export interface KafkaEventBusOptions {
  /** Hears of each stored message that went to a dead-letter topic, to count it. */
  readonly onDeadLetter?: (topic: TopicName, reason: string) => void;
}

/** Connects when it is first used; so it opens while Kafka is away. */
export function openKafkaEventBus(connection: KafkaConnection, options: KafkaEventBusOptions = {}): EventBus {
  return new KafkaEventBus(connection, options);
}

class KafkaEventBus implements EventBus {
  readonly #open: OpenKafka;
  readonly #prefix: string;
  readonly #onDeadLetter: (topic: TopicName, reason: string) => void;
  readonly #desk: AdminDesk;
  readonly #topics: TopicKeeper;
  readonly #producer: OpenProducer;
  readonly #queue: SendQueue;
  /** By role, the holder of its newest claim on this bus. */
  readonly #claims = new Map<string, ClaimedProducer>();
  #claiming: Promise<unknown> = Promise.resolve();
  readonly #subscriptions = new Set<Subscription>();
  #closed: Promise<void> | undefined;

  constructor(connection: KafkaConnection, { onDeadLetter = () => undefined }: KafkaEventBusOptions) {
    this.#open = (until) => createKafkaClient(connection, until);
    this.#prefix = connection.prefix;
    this.#onDeadLetter = onDeadLetter;
    this.#desk = new AdminDesk(this.#open);
    this.#topics = new TopicKeeper(this.#desk.ask, this.#nameOf);
    this.#producer = new OpenProducer(this.#open);
    this.#queue = new SendQueue((messages) => this.#producer.send(this.#byTopic(messages)));
  }

  readonly #nameOf = (topic: TopicName): string => this.#prefix + topic;

  /** Of a group, or of a role: others may use the same Kafka. */
  readonly #ownName = (name: string): string => `${this.#prefix}quanren-${name}`;

  async publish(topic: TopicName, messages: readonly OutgoingMessage[]): Promise<void> {
    await this.#send(this.#queue, topic, place(topic, messages));
  }

  async broadcast(topic: TopicName, message: OutgoingMessage): Promise<void> {
    const encoded = encodeMessage(topic, message);
    const { partitions } = topicSpec(topic);
    const copies = Array.from({ length: partitions }, (_, partition) => ({ ...encoded, topic, partition }));
    await this.#send(this.#queue, topic, copies);
  }

  async claim(role: string): Promise<Publish> {
    this.#checkOpen();
    // One after the other: what Kafka answered last is what it did last.
    const claiming = this.#claiming.then(() => this.#claimNow(role));
    this.#claiming = claiming.catch(() => undefined);
    const claimed = await claiming;
    const queue = new SendQueue((messages) => claimed.send(this.#byTopic(messages)));
    return async (topic, messages) => this.#send(queue, topic, place(topic, messages));
  }

  async #claimNow(role: string): Promise<ClaimedProducer> {
    this.#checkOpen();
    const claimed = await ClaimedProducer.claim(this.#open, this.#ownName(role), role);
    await this.#claims.get(role)?.supersede();
    this.#claims.set(role, claimed);
    return claimed;
  }

  async #send(queue: SendQueue, topic: TopicName, messages: readonly Placed[]): Promise<void> {
    this.#checkOpen();
    await this.#topics.keep([topic]);
    await queue.add(messages);
  }

  #byTopic(messages: readonly Placed[]): TopicMessages[] {
    const byTopic = new Map<TopicName, TopicMessages>();
    for (const { topic, partition, key, value } of messages) {
      const ofTopic = byTopic.get(topic) ?? { topic: this.#nameOf(topic), messages: [] };
      ofTopic.messages.push({ partition, key, value });
      byTopic.set(topic, ofTopic);
    }
    return [...byTopic.values()];
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    this.#checkOpen();
    await this.#topics.keep(options.topics);
    const opened = await openSubscription(options, {
      open: this.#open,
      ask: this.#desk.ask,
      nameOf: this.#nameOf,
      groupName: this.#ownName,
      bury: (letters) => this.#bury(letters),
    });
    const subscription: Subscription = {
      caughtUp: () => opened.caughtUp(),
      lag: () => opened.lag(),
      close: async () => {
        await opened.close();
        this.#subscriptions.delete(subscription);
      },
    };
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async #bury(letters: readonly DeadLetter[]): Promise<void> {
    await this.#queue.add(
      letters.map(({ topic, message }) => ({ ...message, topic: deadLetterTopic(topic), partition: 0 })),
    );
    for (const { topic, reason } of letters) this.#onDeadLetter(topic, reason);
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new QuanrenError('unavailable', 'The event bus is closed.');
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    await Promise.all([this.#queue.settled(), this.#claiming]);
    await Promise.all([
      this.#producer.close(),
      ...[...this.#claims.values()].map((claimed) => claimed.close()),
    ]);
    await this.#desk.close();
  }
}

function place(topic: TopicName, messages: readonly OutgoingMessage[]): Placed[] {
  const { partitions } = topicSpec(topic);
  return messages.map((message) => ({
    ...encodeMessage(topic, message),
    topic,
    partition: partitionOf(message.key, partitions),
  }));
}
