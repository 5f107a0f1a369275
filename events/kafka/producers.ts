/**
 * The two ways into Kafka. Both are idempotent: what kafkajs sends again after a lost answer lands once, and not behind
 * what came after it.
 */
import type { Producer, ProducerConfig, Sender, TopicMessages } from 'kafkajs';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { OpenKafka } from './kafka-client.js';
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

/** A producer that can be cut off: what it was given up for does not land behind what is sent after it. */
class Line {
  readonly producer: Producer;
  readonly #cut = new AbortController();

  constructor(open: OpenKafka, config: ProducerConfig) {
    this.producer = open(this.#cut.signal).producer(config);
  }

  cut(): void {
    this.#cut.abort();
    void this.end();
  }

  async end(): Promise<void> {
    await within(END_WITHIN_MS, 'closing', this.producer.disconnect()).catch(() => undefined);
    this.#cut.abort();
  }
}

/**
 * Resolves when each partition is acknowledged. kafkajs 2.2.4 may resolve without: after a failure it asks only brokers that have
 * not answered yet, and sends nothing to a partition whose new leader had answered for others (its `sendMessages.js`).
 * `kafka-cluster.test.ts` holds this to real brokers.
 */
async function sendAll(sender: Pick<Sender, 'sendBatch'>, topicMessages: TopicMessages[]): Promise<void> {
  const answers = await sender.sendBatch({ topicMessages });
  const acknowledged = new Set(answers.map(({ topicName, partition }) => `${topicName} ${partition}`));
  for (const { topic, messages } of topicMessages) {
    for (const { partition } of messages) {
      if (acknowledged.has(`${topic} ${partition}`)) continue;
      throw new Error(`No broker has acknowledged what was sent to partition ${partition} of ${topic}.`);
    }
  }
}

/** Anybody's: made when it is first needed, and anew after a failure, which leaves its sequence numbers in doubt. */
export class OpenProducer {
  readonly #open: OpenKafka;
  #line: Line | undefined;

  constructor(open: OpenKafka) {
    this.#open = open;
  }

  /** One at a time. Throws `unavailable`. */
  async send(topicMessages: TopicMessages[]): Promise<void> {
    const line = this.#line ?? new Line(this.#open, CONFIG);
    const connected = line === this.#line ? Promise.resolve() : line.producer.connect();
    this.#line = line;
    try {
      const sent = connected.then(() => sendAll(line.producer, topicMessages));
      await within(SEND_WITHIN_MS, 'publishing', sent);
    } catch (error) {
      this.#line = undefined;
      line.cut();
      throw toBusError('publishing', error);
    }
  }

  async close(): Promise<void> {
    await this.#line?.end();
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
  readonly #line: Line;
  readonly #role: string;
  #failure: QuanrenError | undefined;

  private constructor(line: Line, role: string) {
    this.#line = line;
    this.#role = role;
  }

  /** Throws `unavailable` or `set_up`. */
  static async claim(open: OpenKafka, transactionalId: string, role: string): Promise<ClaimedProducer> {
    const line = new Line(open, {
      ...CONFIG,
      transactionalId,
      transactionTimeout: TRANSACTION_WITHIN_MS,
    });
    try {
      // kafkajs claims with its first transaction; one without messages costs nothing more.
      const claimed = line.producer
        .connect()
        .then(() => line.producer.transaction())
        .then((transaction) => transaction.abort());
      await within(CLAIM_WITHIN_MS, `claiming '${role}'`, claimed);
    } catch (error) {
      line.cut();
      throw toBusError(`claiming '${role}'`, error);
    }
    return new ClaimedProducer(line, role);
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
      this.#line.cut();
      throw this.#failure;
    }
  }

  async #sendInTransaction(topicMessages: TopicMessages[]): Promise<void> {
    const transaction = await this.#line.producer.transaction();
    await sendAll(transaction, topicMessages);
    await transaction.commit();
  }

  /** The role was claimed anew on this bus: from now on it refuses by itself what the broker would. */
  async supersede(): Promise<void> {
    this.#failure = conflict(this.#role);
    await this.#line.end();
  }

  async close(): Promise<void> {
    await this.#line.end();
  }
}

function conflict(role: string, cause?: unknown): QuanrenError {
  return new QuanrenError('conflict', `Another process publishes as '${role}' now.`, { cause });
}
