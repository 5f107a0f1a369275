/**
 * The two ways into Kafka. Both are idempotent: what kafkajs sends again after a lost answer lands once, and not behind
 * what came after it.
 */
import type { Kafka, Producer, ProducerConfig, TopicMessages } from 'kafkajs';
import { QuanrenError } from '../../errors/quanren-error.js';
import { errorTypes, toBusError } from './kafka-errors.js';
import { within } from './within.js';

/** From the call to the acknowledgement of one batch, attempts and reconnecting included. */
const SEND_WITHIN_MS = 15_000;
const CLAIM_WITHIN_MS = 15_000;
const END_WITHIN_MS = 5_000;
/** A claimant that is silent for this long within a transaction has it undone by the broker. */
const TRANSACTION_WITHIN_MS = 60_000;

const CONFIG: ProducerConfig = {
  allowAutoTopicCreation: false,
  idempotent: true,
  maxInFlightRequests: 1,
  // Every message names its partition.
  createPartitioner:
    () =>
    ({ message }) =>
      message.partition ?? 0,
};

/** Ends a producer whose last word does not matter any more. */
async function end(producer: Producer): Promise<void> {
  await within(END_WITHIN_MS, 'closing', producer.disconnect()).catch(() => undefined);
}

/** Anybody's: made when it is first needed, and anew after a failure, which leaves its sequence numbers in doubt. */
export class OpenProducer {
  readonly #kafka: Kafka;
  #producer: Producer | undefined;

  constructor(kafka: Kafka) {
    this.#kafka = kafka;
  }

  /** One at a time. Throws `unavailable`. */
  async send(topicMessages: TopicMessages[]): Promise<void> {
    const producer = this.#producer ?? this.#kafka.producer(CONFIG);
    try {
      const connected = producer === this.#producer ? undefined : producer.connect();
      const sent = Promise.resolve(connected).then(() => producer.sendBatch({ topicMessages }));
      await within(SEND_WITHIN_MS, 'publishing', sent);
      this.#producer = producer;
    } catch (error) {
      this.#producer = undefined;
      void end(producer);
      throw toBusError('publishing', error);
    }
  }

  async close(): Promise<void> {
    if (this.#producer !== undefined) await end(this.#producer);
  }
}

/** What the broker answers a claimant whose transactional id somebody has claimed since. */
const FENCED: ReadonlySet<string> = new Set(['INVALID_PRODUCER_EPOCH', 'INVALID_TXN_STATE']);

/**
 * The holder of a role, which is a transactional id: to claim it raises its epoch and undoes what an earlier holder had
 * under way, and the broker refuses that one's epoch from then on. Each batch is a transaction. After a failure nothing
 * more is sent: whether the broker has the batch is not known, and only a new claim makes sure of what follows it.
 */
export class ClaimedProducer {
  readonly #producer: Producer;
  readonly #role: string;
  #failure: QuanrenError | undefined;

  private constructor(producer: Producer, role: string) {
    this.#producer = producer;
    this.#role = role;
  }

  /** Throws `unavailable` or `set_up`. */
  static async claim(kafka: Kafka, transactionalId: string, role: string): Promise<ClaimedProducer> {
    const producer = kafka.producer({
      ...CONFIG,
      transactionalId,
      transactionTimeout: TRANSACTION_WITHIN_MS,
    });
    try {
      // kafkajs claims with its first transaction; one without messages costs nothing more.
      const claimed = producer
        .connect()
        .then(() => producer.transaction())
        .then((transaction) => transaction.abort());
      await within(CLAIM_WITHIN_MS, `claiming '${role}'`, claimed);
    } catch (error) {
      void end(producer);
      throw toBusError(`claiming '${role}'`, error);
    }
    return new ClaimedProducer(producer, role);
  }

  /** One at a time. Throws `conflict` where the role was claimed anew, `unavailable`. */
  async send(topicMessages: TopicMessages[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      await within(SEND_WITHIN_MS, 'publishing', this.#sendInTransaction(topicMessages));
    } catch (error) {
      // Somebody may have said meanwhile why it failed.
      this.#failure ??= [...errorTypes(error)].some((type) => FENCED.has(type))
        ? conflict(this.#role, error)
        : toBusError(`publishing as '${this.#role}'`, error);
      void end(this.#producer);
      throw this.#failure;
    }
  }

  async #sendInTransaction(topicMessages: TopicMessages[]): Promise<void> {
    const transaction = await this.#producer.transaction();
    await transaction.sendBatch({ topicMessages });
    await transaction.commit();
  }

  /** The role was claimed anew on this bus: from now on it refuses by itself what the broker would. */
  async supersede(): Promise<void> {
    this.#failure = conflict(this.#role);
    await end(this.#producer);
  }

  async close(): Promise<void> {
    await end(this.#producer);
  }
}

function conflict(role: string, cause?: unknown): QuanrenError {
  return new QuanrenError('conflict', `Another process publishes as '${role}' now.`, { cause });
}
