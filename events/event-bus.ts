/**
 * The event bus: topics of keyed messages, consumed by groups. One interface, held by `event-bus.contract.ts` for
 * every implementation (the embedded log, Kafka).
 *
 * Messages of one key keep their order. Delivery is at least once: a consumer sees a message again unless its offset
 * was committed.
 */
import type { TopicName } from './topics.js';

export interface OutgoingMessage {
  /** 1 to 512 bytes of UTF-8, no U+0000. */
  readonly key: string;
  /** A JSON value that the topic's schema accepts; null is a tombstone on a compacted topic. */
  readonly value: unknown;
}

export interface Message {
  readonly topic: TopicName;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: string;
  readonly value: unknown;
  /** Epoch milliseconds when the bus took it. */
  readonly timestampMs: number;
}

/**
 * Where a consumer starts. `committed` is for groups of several consumers, which share the work and take over from one
 * another; the others are for a consumer alone in its group: each starts there anew, whatever the group had committed.
 */
export type StartPosition =
  /** From the group's committed offset; where it has none, from the earliest message kept. */
  | { readonly from: 'committed' }
  | { readonly from: 'earliest' }
  | { readonly from: 'latest' }
  /** From the first message taken at or after this time. */
  | { readonly from: 'time'; readonly timestampMs: number };

export interface SubscribeOptions {
  readonly topics: readonly TopicName[];
  readonly group: string;
  readonly start: StartPosition;
  /**
   * Gets messages in order per partition, at most `maxBatch` at once. When it resolves they are committed. When it
   * rejects they come again after a bounded, growing delay; `onError` hears of each time.
   */
  readonly onBatch: (messages: readonly Message[]) => Promise<void>;
  readonly onError: (error: unknown) => void;
  readonly maxBatch?: number;
}

export interface Subscription {
  /** Resolves once everything that was in the topics when it was called has been handled. */
  caughtUp(): Promise<void>;
  /** Offsets not yet handled; on a compacted topic, messages may be fewer. */
  lag(): Promise<number>;
  /** Stops taking messages; resolves when the batch in hand is handled and committed. */
  close(): Promise<void>;
}

/** Publishes as `EventBus.publish` does. */
export type Publish = (topic: TopicName, messages: readonly OutgoingMessage[]) => Promise<void>;

export interface EventBus {
  /**
   * Resolves when every message is durable. A message that the topic does not take rejects the whole call, unsent:
   * with `bad_request` for its key or its schema, with `too_large` for a value of more than 16 MiB of JSON.
   */
  publish: Publish;
  /**
   * Takes over a role in which only one may publish, and resolves with its way to publish. From then on the bus refuses
   * (`conflict`) what an earlier claimant sends, also what was already on its way: a claimant that was cut off, or slept,
   * cannot put old messages behind newer ones. On Kafka a role is a transactional id.
   */
  claim(role: string): Promise<Publish>;
  /** One copy of a message to every partition of the topic: what follows it there was published later. */
  broadcast(topic: TopicName, message: OutgoingMessage): Promise<void>;
  /** A stored message that breaks its schema goes to `<topic>.dlq` with the reason and never reaches `onBatch`. */
  subscribe(options: SubscribeOptions): Promise<Subscription>;
  close(): Promise<void>;
}
