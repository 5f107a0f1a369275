/**
 * One subscription to Kafka: it keeps a consumer going, lap after lap, until it is closed.
 *
 * States: connecting → joined → (crash, silence) → a pause → connecting; closing ends any of them.
 *
 * A group that shares the work commits to Kafka, and Kafka says where it goes on. A consumer alone in its group keeps its
 * positions itself: it joins under a name of its own every time, so that no dead predecessor is waited for, and nothing
 * is committed that nobody would read.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaMessage } from 'kafkajs';
import { backOffMs } from '../../errors/back-off.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { Message, SubscribeOptions, Subscription } from '../event-bus.js';
import { type DeadLetter, sortMessage } from '../stored-message.js';
import type { TopicName } from '../topics.js';
import type { AskAdmin } from './admin-desk.js';
import { runLap } from './consumer-lap.js';
import type { OpenKafka } from './kafka-client.js';
import { isSettling, toBusError } from './kafka-errors.js';
import { Positions } from './positions.js';

const DEFAULT_MAX_BATCH = 500;
const PAUSE = { firstMs: 200, longestMs: 3_000 };
/** So many failures in a row are no longer those of a start. */
const SETTLED_AFTER = 4;
/** How often one who waits looks: at our own positions, and at the group's, which are Kafka's to tell. */
const LOOK_EVERY_MS = { own: 20, shared: 200 };

export interface SubscriptionDependencies {
  readonly open: OpenKafka;
  readonly ask: AskAdmin;
  readonly nameOf: (topic: TopicName) => string;
  readonly groupName: (group: string) => string;
  /** Resolves when they are in their dead-letter topics for good, and counted. */
  readonly bury: (letters: readonly DeadLetter[]) => Promise<void>;
}

/** Its topics are there. Throws `unavailable` where Kafka does not say where to start. */
export async function openSubscription(
  options: SubscribeOptions,
  dependencies: SubscriptionDependencies,
): Promise<Subscription> {
  const positions = await findStart(options, dependencies);
  return new KafkaSubscription(options, dependencies, positions);
}

async function findStart(
  { topics, start }: SubscribeOptions,
  { ask, nameOf }: SubscriptionDependencies,
): Promise<Positions | undefined> {
  if (start.from === 'committed') return undefined;
  return ask('finding where to start', async (admin) => {
    const offsets = topics.map(async (topic) => {
      if (start.from === 'time') {
        return [
          topic,
          byPartition(await admin.fetchTopicOffsetsByTimestamp(nameOf(topic), start.timestampMs)),
        ] as const;
      }
      const found = await admin.fetchTopicOffsets(nameOf(topic));
      const which = start.from === 'latest' ? 'high' : 'low';
      return [topic, byPartition(found.map((each) => ({ ...each, offset: each[which] })))] as const;
    });
    return new Positions(await Promise.all(offsets));
  });
}

function byPartition(offsets: readonly { readonly partition: number; readonly offset: string }[]): bigint[] {
  const sorted: bigint[] = [];
  for (const { partition, offset } of offsets) sorted[partition] = BigInt(offset);
  return sorted;
}

class KafkaSubscription implements Subscription {
  readonly #options: SubscribeOptions;
  readonly #dependencies: SubscriptionDependencies;
  /** Undefined where the group shares the work. */
  readonly #positions: Positions | undefined;
  readonly #stop = new AbortController();
  readonly #laps: Promise<void>;

  constructor(
    options: SubscribeOptions,
    dependencies: SubscriptionDependencies,
    positions: Positions | undefined,
  ) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#positions = positions;
    this.#laps = this.#runLaps();
  }

  async #runLaps(): Promise<void> {
    const { open, nameOf, groupName } = this.#dependencies;
    const { topics, group, onError, maxBatch = DEFAULT_MAX_BATCH } = this.#options;
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        await runLap({
          open,
          topics,
          nameOf,
          groupId: groupName(this.#positions === undefined ? group : `${group}-${randomUUID()}`),
          positions: this.#positions,
          maxBatch,
          handle: (topic, partition, messages) => this.#handle(topic, partition, messages),
          onError,
          onJoin: () => {
            failures = 0;
          },
          stop: this.#stop.signal,
        });
      } catch (error) {
        // A group's first consumers, and those after a broker has started, find its coordinator not ready for a moment.
        failures += 1;
        const isNews = !isSettling(error) || failures > SETTLED_AFTER;
        if (isNews) onError(toBusError(`consuming ${topics.join(', ')}`, error));
        await delay(backOffMs(PAUSE, failures), undefined, { signal: this.#stop.signal }).catch(
          () => undefined,
        );
      }
    }
  }

  async #handle(topic: TopicName, partition: number, stored: readonly KafkaMessage[]): Promise<void> {
    const messages: Message[] = [];
    const letters: DeadLetter[] = [];
    for (const { offset, key, value, timestamp } of stored) {
      const sorted = sortMessage({
        topic,
        partition,
        offset: BigInt(offset),
        key: key?.toString('utf8') ?? '',
        value,
        timestampMs: Number(timestamp),
      });
      if ('message' in sorted) messages.push(sorted.message);
      else if ('deadLetter' in sorted) letters.push(sorted.deadLetter);
      else this.#options.onError(sorted.error);
    }
    if (messages.length > 0) await this.#options.onBatch(messages);
    if (letters.length > 0) await this.#dependencies.bury(letters);
  }

  /** The next offset to be published of every partition. */
  async #ends(): Promise<Positions> {
    const { ask, nameOf } = this.#dependencies;
    return ask('looking at the ends of topics', async (admin) => {
      const offsets = this.#options.topics.map(
        async (topic) => [topic, byPartition(await admin.fetchTopicOffsets(nameOf(topic)))] as const,
      );
      return new Positions(await Promise.all(offsets));
    });
  }

  async #handled(): Promise<Positions> {
    if (this.#positions !== undefined) return this.#positions;
    const { ask, nameOf, groupName } = this.#dependencies;
    const { topics, group } = this.#options;
    return ask('looking at the positions of a group', async (admin) => {
      const found = await admin.fetchOffsets({ groupId: groupName(group), topics: topics.map(nameOf) });
      const started = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(nameOf(topic))));
      return new Positions(
        topics.map((topic, i) => {
          const committed = byPartition(found.find((each) => each.topic === nameOf(topic))?.partitions ?? []);
          // Nothing committed yet (-1): it starts at the earliest message.
          const earliest = (started[i] ?? []).map(({ partition, low }) => ({ partition, offset: low }));
          return [
            topic,
            byPartition(earliest).map((low, partition) => max(low, committed[partition] ?? -1n)),
          ];
        }),
      );
    });
  }

  async caughtUp(): Promise<void> {
    const lookEveryMs = this.#positions === undefined ? LOOK_EVERY_MS.shared : LOOK_EVERY_MS.own;
    let ends: Positions | undefined;
    for (;;) {
      this.#refuseIfClosed();
      try {
        ends ??= await this.#ends();
        if (ends.distanceFrom(await this.#handled()) === 0) return;
      } catch (error) {
        this.#options.onError(error);
      }
      await delay(lookEveryMs, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async lag(): Promise<number> {
    this.#refuseIfClosed();
    const [ends, handled] = await Promise.all([this.#ends(), this.#handled()]);
    return ends.distanceFrom(handled);
  }

  #refuseIfClosed(): void {
    if (this.#stop.signal.aborted) throw new QuanrenError('unavailable', 'The subscription is closed.');
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#laps;
  }
}

const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
