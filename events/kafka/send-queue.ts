/**
 * What is to be sent, in the order in which it was handed over: one send is under way at a time and takes along all that
 * has come meanwhile, within bounds. So messages keep their order without a wait for each, and a send that fails can
 * not be overtaken: it fails all that waits behind it.
 */
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EncodedMessage } from '../message-checks.js';
import type { TopicName } from '../topics.js';

/** kafkajs makes one record batch per partition of what it is given, and copies lists as long as it is. */
const MESSAGES_PER_SEND = 1_000;
const BYTES_PER_SEND = 4 * 1024 * 1024;
/** Waiting at once; a call that finds nothing waiting may bring more. */
const MAX_QUEUED_MESSAGES = 200_000;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;

export interface Placed extends EncodedMessage {
  readonly topic: TopicName;
  readonly partition: number;
}

interface Call {
  /** Messages that are not acknowledged yet. */
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Queued {
  readonly message: Placed;
  readonly call: Call;
}

const sizeOf = ({ key, value }: Placed): number => key.length + (value?.length ?? 0);

export class SendQueue {
  readonly #send: (messages: readonly Placed[]) => Promise<void>;
  #queued: Queued[] = [];
  #queuedBytes = 0;
  #sending: Promise<void> | undefined;

  /** `send` settles within its own deadline. */
  constructor(send: (messages: readonly Placed[]) => Promise<void>) {
    this.#send = send;
  }

  /** Resolves when all are acknowledged. Throws `overloaded` when too much waits already. */
  async add(messages: readonly Placed[]): Promise<void> {
    if (messages.length === 0) return;
    if (this.#queued.length >= MAX_QUEUED_MESSAGES || this.#queuedBytes >= MAX_QUEUED_BYTES) {
      throw new QuanrenError('overloaded', 'Kafka takes messages more slowly than they come.');
    }
    const acknowledged = new Promise<void>((resolve, reject) => {
      const call: Call = { left: messages.length, resolve, reject };
      for (const message of messages) {
        this.#queued.push({ message, call });
        this.#queuedBytes += sizeOf(message);
      }
    });
    this.#sending ??= this.#drain();
    return acknowledged;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  async #drain(): Promise<void> {
    while (this.#queued.length > 0) {
      const batch = this.#take();
      try {
        await this.#send(batch.map(({ message }) => message));
      } catch (error) {
        this.#failAll(batch, error);
        continue;
      }
      for (const { call } of batch) {
        call.left -= 1;
        if (call.left === 0) call.resolve();
      }
    }
    this.#sending = undefined;
  }

  #take(): Queued[] {
    let sizeBytes = 0;
    let count = 0;
    for (const { message } of this.#queued) {
      sizeBytes += sizeOf(message);
      if (count > 0 && (count === MESSAGES_PER_SEND || sizeBytes > BYTES_PER_SEND)) break;
      count += 1;
    }
    const batch = this.#queued.splice(0, count);
    for (const { message } of batch) this.#queuedBytes -= sizeOf(message);
    return batch;
  }

  #failAll(batch: readonly Queued[], error: unknown): void {
    const failed = new Set([...batch, ...this.#queued].map(({ call }) => call));
    this.#queued = [];
    this.#queuedBytes = 0;
    for (const call of failed) call.reject(error);
  }
}
