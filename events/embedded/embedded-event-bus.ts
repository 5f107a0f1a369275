/** The event bus of the embedded profile: a log in LMDB that the processes of one machine share. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EventBus, OutgoingMessage, Publish, SubscribeOptions, Subscription } from '../event-bus.js';
import { type EncodedMessage, encodeMessage } from '../message-checks.js';
import { partitionOf } from '../partition.js';
import { type TopicName, topicSpec } from '../topics.js';
import { Consumer } from './consumer.js';
import { Doorbell } from './doorbell.js';
import { type Claim, Log } from './log.js';

/** Messages in one transaction: it holds the event loop, and the write lock, for some 20 ms. */
const MESSAGES_PER_COMMIT = 5_000;

export interface EmbeddedEventBusOptions {
  /** Epoch milliseconds; by default the machine's clock. */
  readonly now?: () => number;
  /** Hears of each stored message that went to a dead-letter topic, to count it. */
  readonly onDeadLetter?: (topic: TopicName, reason: string) => void;
}

/** Opens the bus kept in `folder`; threads and processes may share it. Throws `set_up`. */
export function openEmbeddedEventBus(folder: string, options: EmbeddedEventBusOptions = {}): EventBus {
  return new EmbeddedEventBus(folder, options);
}

class EmbeddedEventBus implements EventBus {
  readonly #log: Log;
  readonly #doorbell: Doorbell;
  readonly #now: () => number;
  readonly #onDeadLetter: (topic: TopicName, reason: string) => void;
  readonly #consumers = new Set<Consumer>();
  readonly #ready: Promise<void>;
  #closed: Promise<void> | undefined;

  constructor(folder: string, { now = Date.now, onDeadLetter = () => undefined }: EmbeddedEventBusOptions) {
    mkdirSync(folder, { recursive: true });
    this.#log = new Log(folder);
    this.#doorbell = new Doorbell(path.join(folder, 'doorbell'));
    this.#now = now;
    this.#onDeadLetter = onDeadLetter;
    this.#ready = this.#log.transact(() => this.#log.forgetOldGroups(now()));
    // Whoever uses the bus first hears of it.
    this.#ready.catch(() => undefined);
  }

  publish(topic: TopicName, messages: readonly OutgoingMessage[]): Promise<void> {
    return this.#publish(topic, messages);
  }

  async claim(role: string): Promise<Publish> {
    this.#checkOpen();
    const claim = await this.#log.transact(() => this.#log.claim(role));
    return (topic, messages) => this.#publish(topic, messages, claim);
  }

  async #publish(topic: TopicName, messages: readonly OutgoingMessage[], claim?: Claim): Promise<void> {
    const { partitions } = topicSpec(topic);
    const encoded = messages.map((message) => encodeMessage(topic, message));
    for (let start = 0; start < encoded.length; start += MESSAGES_PER_COMMIT) {
      const byPartition = new Map<number, EncodedMessage[]>();
      for (const message of encoded.slice(start, start + MESSAGES_PER_COMMIT)) {
        const partition = partitionOf(message.key, partitions);
        const ofPartition = byPartition.get(partition);
        if (ofPartition === undefined) byPartition.set(partition, [message]);
        else ofPartition.push(message);
      }
      await this.#append(topic, byPartition, claim);
    }
  }

  async broadcast(topic: TopicName, message: OutgoingMessage): Promise<void> {
    const encoded = encodeMessage(topic, message);
    const { partitions } = topicSpec(topic);
    await this.#append(topic, new Map(Array.from({ length: partitions }, (_, i) => [i, [encoded]])));
  }

  async #append(
    topic: TopicName,
    byPartition: ReadonlyMap<number, readonly EncodedMessage[]>,
    claim?: Claim,
  ): Promise<void> {
    this.#checkOpen();
    await this.#log.transact(() => {
      if (claim !== undefined) this.#log.refuseOldClaim(claim);
      for (const [partition, messages] of byPartition) {
        this.#log.append(topic, partition, messages, this.#now());
      }
    });
    if (this.#closed === undefined) this.#doorbell.ring();
  }

  async subscribe(options: SubscribeOptions): Promise<Subscription> {
    this.#checkOpen();
    await this.#ready;
    const consumer = new Consumer(options, {
      log: this.#log,
      doorbell: this.#doorbell,
      now: this.#now,
      onDeadLetter: this.#onDeadLetter,
    });
    this.#consumers.add(consumer);
    return {
      caughtUp: () => consumer.caughtUp(),
      lag: () => consumer.lag(),
      close: async () => {
        await consumer.close();
        this.#consumers.delete(consumer);
      },
    };
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw new QuanrenError('unavailable', 'The event bus is closed.');
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    await this.#log.close();
    this.#doorbell.close();
  }
}
