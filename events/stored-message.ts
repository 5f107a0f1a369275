/** What becomes of a message that a bus has stored: it is delivered, or it breaks its topic's schema and is put aside. */
import { QuanrenError } from '../errors/quanren-error.js';
import type { Message } from './event-bus.js';
import { decodeValue, type EncodedMessage } from './message-checks.js';
import type { DeadLetterMessage } from './messages.js';
import { type BaseTopicName, isBaseTopic } from './topics.js';

/** A dead letter repeats its message's value up to this length. */
const MAX_DEAD_LETTER_BYTES = 1024 * 1024;

/** As a bus keeps it. */
export interface StoredMessage extends Omit<Message, 'value'> {
  /** UTF-8 JSON, if it is what it should be; null is a tombstone. */
  readonly value: Buffer | null;
}

export interface DeadLetter {
  /** The topic of the message that broke its schema. */
  readonly topic: BaseTopicName;
  /** For `<topic>.dlq`; its key names the message: `crowd-rules/0/17`. */
  readonly message: EncodedMessage;
  readonly reason: string;
}

export type Sorted =
  | { readonly message: Message }
  | { readonly deadLetter: DeadLetter }
  /** A message of a dead-letter topic that is none: there is nowhere to put it. */
  | { readonly error: QuanrenError };

export function sortMessage(stored: StoredMessage): Sorted {
  const { topic, partition, offset, key, value } = stored;
  const decoded = decodeValue(topic, value);
  if (decoded.ok) return { message: { ...stored, value: decoded.value } };
  const { reason } = decoded;
  if (!isBaseTopic(topic)) {
    return {
      error: new QuanrenError('internal', `Message ${offset} of ${topic} is no dead letter: ${reason}.`),
    };
  }
  const isShort = (value?.length ?? 0) <= MAX_DEAD_LETTER_BYTES;
  const letter: DeadLetterMessage = {
    topic,
    partition,
    offset: String(offset),
    key,
    value: value === null || !isShort ? null : value.toString('utf8'),
    reason: isShort ? reason : `${reason} (the value has ${value?.length} bytes and is left out)`,
  };
  const message = { key: `${topic}/${partition}/${offset}`, value: Buffer.from(JSON.stringify(letter)) };
  return { deadLetter: { topic, message, reason } };
}
