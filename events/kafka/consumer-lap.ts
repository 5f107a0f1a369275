/**
 * One consumer of kafkajs, from its making to its end. kafkajs starts some crashed consumers again by itself and lets
 * others lie (tulios/kafkajs#1441), or hangs; so its own restart is off, and a consumer that crashed, or shows no sign of
 * life, ends its lap: whoever runs laps makes another one.
 *
 * It reads what is not committed too. kafkajs lets aborted messages through when it is told not to (its filter takes the
 * broker's list of them as sorted), so nothing could rest on it; and a publisher that died within a transaction would
 * hold up everybody until the broker gives it up.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Batch, Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import { backOffMs } from '../../errors/back-off.js';
import type { TopicName } from '../topics.js';
import type { OpenKafka } from './kafka-client.js';
import type { Positions } from './positions.js';
import { within } from './within.js';

/** A fetch that finds nothing waits so long at the broker; closing waits for it. */
const FETCH_WAITS_MS = 500;
/** The shortest that brokers take by default. What a killed consumer of a shared group held goes on after it. */
const SESSION_MS = 6_000;
const SESSION_BEAT_MS = 2_000;
/** A member whose batch takes longer has its partitions given to another one when the group is shared out anew. */
const REBALANCE_WITHIN_MS = 30_000;
const SILENT_FOR_MS = 15_000;
const LOOK_EVERY_MS = 1_000;
const END_WITHIN_MS = 5_000;
const RETRY = { firstMs: 100, longestMs: 5_000 };

export interface LapOptions {
  readonly open: OpenKafka;
  readonly topics: readonly TopicName[];
  readonly nameOf: (topic: TopicName) => string;
  readonly groupId: string;
  /**
   * Where to go on in each partition, moved as messages are handled. Undefined for a group that shares the work: it goes
   * on where it committed, and commits.
   */
  readonly positions: Positions | undefined;
  readonly maxBatch: number;
  /** Handles messages of one partition; where it rejects it gets them again. */
  readonly handle: (topic: TopicName, partition: number, messages: readonly KafkaMessage[]) => Promise<void>;
  /** Hears each time that `handle` rejected. */
  readonly onError: (error: unknown) => void;
  readonly onJoin: () => void;
  /** Ends the lap once the batch in hand is handled. */
  readonly stop: AbortSignal;
}

/** Resolves when it was stopped, rejects with what ended it otherwise. Nothing is in hand any more in either case. */
export async function runLap(options: LapOptions): Promise<void> {
  const lap = new Lap(options);
  try {
    await lap.run();
  } finally {
    await lap.end();
  }
}

class Lap {
  readonly #options: LapOptions;
  readonly #consumer: Consumer;
  readonly #topicOf: ReadonlyMap<string, TopicName>;
  readonly #silentForMs: number;
  readonly #over = new AbortController();
  /** Nothing is heard of the consumer any more, whatever it still does. */
  readonly #gone = new AbortController();
  #lastSignMs = performance.now();
  #inHand: Promise<void> | undefined;
  #looks: NodeJS.Timeout | undefined;

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  constructor(options: LapOptions) {
    this.#options = options;
    this.#topicOf = new Map(options.topics.map((topic) => [options.nameOf(topic), topic]));
    // To join a shared group may take until its slowest member has handled its batch.
    this.#silentForMs = SILENT_FOR_MS + (options.positions === undefined ? REBALANCE_WITHIN_MS : 0);
    this.#consumer = options.open(this.#gone.signal).consumer({
      groupId: options.groupId,
      sessionTimeout: SESSION_MS,
      heartbeatInterval: SESSION_BEAT_MS,
      rebalanceTimeout: REBALANCE_WITHIN_MS,
      maxWaitTimeInMs: FETCH_WAITS_MS,
      allowAutoTopicCreation: false,
      readUncommitted: true,
      retry: { retries: 3, restartOnFailure: async () => false },
    });
  }

  async run(): Promise<void> {
    const { stop } = this.#options;
    const ended = this.#watch();
    const stopped = new Promise<void>((resolve) => {
      if (stop.aborted) resolve();
      stop.addEventListener('abort', () => resolve(), { once: true, signal: this.#over.signal });
    });
    await Promise.race([stopped, ended, this.#start().then(() => stopped)]);
  }

  async #start(): Promise<void> {
    const { topics, nameOf } = this.#options;
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: topics.map(nameOf), fromBeginning: true });
    await this.#consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => {
        this.#inHand = this.#onBatch(payload);
        return this.#inHand;
      },
    });
  }

  /** Rejects when the consumer has crashed or is silent, from its making on. */
  #watch(): Promise<never> {
    const consumer = this.#consumer;
    const { events } = consumer;
    const { positions, nameOf, onJoin } = this.#options;
    consumer.on(events.GROUP_JOIN, () => {
      this.#lastSignMs = performance.now();
      if (this.#isOver) return;
      onJoin();
      for (const { topic, partition, offset } of positions?.entries() ?? []) {
        consumer.seek({ topic: nameOf(topic), partition, offset: String(offset) });
      }
    });
    consumer.on(events.FETCH, () => {
      this.#lastSignMs = performance.now();
    });
    consumer.on(events.END_BATCH_PROCESS, ({ payload }) => {
      // Marks of transactions, and what compaction has left of a batch, never come to `eachBatch`.
      if (payload.batchSize === 0) this.#passOver(payload.topic, payload.partition, payload.lastOffset);
    });
    return new Promise((_, reject) => {
      consumer.on(events.CRASH, ({ payload }) => reject(payload.error));
      this.#looks = setInterval(() => {
        if (this.#inHand !== undefined) this.#lastSignMs = performance.now();
        if (performance.now() - this.#lastSignMs < this.#silentForMs) return;
        reject(new Error(`A consumer gave no sign of life for ${this.#silentForMs} ms.`));
      }, LOOK_EVERY_MS);
    });
  }

  #passOver(name: string, partition: number, lastOffset: string): void {
    const topic = this.#topicOf.get(name);
    if (this.#isOver || topic === undefined) return;
    const { positions } = this.#options;
    const next = BigInt(lastOffset) + 1n;
    if (positions !== undefined) positions.set(topic, partition, next);
    else {
      const committed = this.#consumer.commitOffsets([{ topic: name, partition, offset: String(next) }]);
      // The next commit of this partition says it again.
      committed.catch(() => undefined);
    }
  }

  async #onBatch(payload: EachBatchPayload): Promise<void> {
    const topic = this.#topicOf.get(payload.batch.topic);
    if (topic === undefined) return;
    let lost: unknown;
    // A consumer sends its group signs of life only when it is told to.
    const beat = setInterval(() => {
      payload.heartbeat().catch((error: unknown) => {
        lost ??= error;
      });
    }, SESSION_BEAT_MS);
    try {
      await this.#handleBatch(topic, payload, () => {
        if (lost !== undefined) throw lost;
      });
    } finally {
      clearInterval(beat);
      this.#inHand = undefined;
    }
  }

  async #handleBatch(topic: TopicName, payload: EachBatchPayload, throwIfLost: () => void): Promise<void> {
    const { handle, onError, maxBatch, stop } = this.#options;
    const { batch, isRunning, heartbeat } = payload;
    const messages = this.#withoutRepeated(topic, batch);
    for (let start = 0; ; start += maxBatch) {
      const slice = messages.slice(start, start + maxBatch);
      for (let failures = 1; ; failures += 1) {
        if (this.#isOver || stop.aborted || !isRunning()) return;
        try {
          if (slice.length > 0) await handle(topic, batch.partition, slice);
          break;
        } catch (error) {
          onError(error);
        }
        await delay(backOffMs(RETRY, failures), undefined, { signal: stop }).catch(() => undefined);
        // It may be another's by now: kafkajs joins the group again.
        throwIfLost();
      }
      const isLast = start + maxBatch >= messages.length;
      await this.#settle(topic, payload, isLast ? batch.lastOffset() : (slice.at(-1)?.offset ?? ''));
      if (isLast) return;
      await heartbeat();
    }
  }

  /**
   * What kafkajs fetched before its group was shared out anew may come again. Not so where the log ends before our
   * position: then the topic was removed and made anew.
   */
  #withoutRepeated(topic: TopicName, { partition, messages, highWatermark }: Batch): readonly KafkaMessage[] {
    const position = this.#options.positions?.get(topic, partition) ?? 0n;
    if (BigInt(highWatermark) < position) return messages;
    return messages.filter(({ offset }) => BigInt(offset) >= position);
  }

  /** Everything up to `offset` is handled. */
  async #settle(topic: TopicName, payload: EachBatchPayload, offset: string): Promise<void> {
    const { positions } = this.#options;
    const { batch, resolveOffset, commitOffsetsIfNecessary } = payload;
    const next = BigInt(offset) + 1n;
    resolveOffset(offset);
    if (positions !== undefined) positions.set(topic, batch.partition, next);
    else {
      await commitOffsetsIfNecessary({
        topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: String(next) }] }],
      });
    }
  }

  async end(): Promise<void> {
    this.#over.abort();
    clearInterval(this.#looks);
    await this.#inHand?.catch(() => undefined);
    await within(END_WITHIN_MS, 'ending a consumer', this.#consumer.disconnect()).catch(() => undefined);
    // One that was joining its group would come to life when it has joined.
    this.#gone.abort();
  }
}
