/** What a bus asks of a message, before it takes it and again before it hands it on. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { QuanrenError } from '../errors/quanren-error.js';
import type { OutgoingMessage } from './event-bus.js';
import activityEvents from './schemas/activity-events.json' with { type: 'json' };
import activityTriggers from './schemas/activity-triggers.json' with { type: 'json' };
import crowdRules from './schemas/crowd-rules.json' with { type: 'json' };
import deadLetter from './schemas/dead-letter.json' with { type: 'json' };
import membershipChanges from './schemas/membership-changes.json' with { type: 'json' };
import tagChanges from './schemas/tag-changes.json' with { type: 'json' };
import userEvents from './schemas/user-events.json' with { type: 'json' };
import { type BaseTopicName, isBaseTopic, type TopicName, topicSpec } from './topics.js';

/** A key is 1 to 512 bytes of UTF-8, without U+0000 and lone surrogates. */
export const MAX_KEY_BYTES = 512;
/** The value's JSON; a rule may hold lists of 100,000 values. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, strictRequired: false });

const SCHEMAS: Readonly<Record<BaseTopicName, ValidateFunction>> = {
  'user-events': ajv.compile(userEvents),
  'tag-changes': ajv.compile(tagChanges),
  'crowd-rules': ajv.compile(crowdRules),
  'membership-changes': ajv.compile(membershipChanges),
  'activity-events': ajv.compile(activityEvents),
  'activity-triggers': ajv.compile(activityTriggers),
};
const DEAD_LETTER = ajv.compile(deadLetter);

/** Why the topic's schema refuses a value; null where it accepts it. Where keys are kept for ever null is taken, a tombstone. */
export function findViolation(topic: TopicName, value: unknown): string | null {
  if (value === null && topicSpec(topic).keptMs === undefined) return null;
  const validate = isBaseTopic(topic) ? SCHEMAS[topic] : DEAD_LETTER;
  if (validate(value)) return null;
  return ajv.errorsText(validate.errors, { dataVar: 'value' });
}

export interface EncodedMessage {
  readonly key: string;
  /** UTF-8 JSON; null is a tombstone. */
  readonly value: Buffer | null;
}

/** Throws `bad_request`, or `too_large`, for what the topic does not take. */
export function encodeMessage(topic: TopicName, { key, value }: OutgoingMessage): EncodedMessage {
  if (key.length === 0 || Buffer.byteLength(key) > MAX_KEY_BYTES || /\0|\p{Surrogate}/u.test(key)) {
    throw new QuanrenError(
      'bad_request',
      `A key of ${topic} must be 1 to ${MAX_KEY_BYTES} bytes of UTF-8 without U+0000.`,
    );
  }
  const violation = findViolation(topic, value);
  if (violation !== null) {
    throw new QuanrenError('bad_request', `A message breaks the schema of ${topic}: ${violation}.`);
  }
  if (value === null) return { key, value: null };
  const bytes = Buffer.from(JSON.stringify(value));
  if (bytes.length > MAX_MESSAGE_BYTES) {
    throw new QuanrenError('too_large', `A message of ${topic} has more than ${MAX_MESSAGE_BYTES} bytes.`);
  }
  return { key, value: bytes };
}

/** The value of a stored message, or the reason why it is none. */
export function decodeValue(
  topic: TopicName,
  bytes: Buffer | null,
): { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string } {
  let value: unknown = null;
  if (bytes !== null) {
    try {
      value = JSON.parse(bytes.toString('utf8'));
    } catch {
      return { ok: false, reason: 'the value is not JSON' };
    }
  }
  const violation = findViolation(topic, value);
  return violation === null ? { ok: true, value } : { ok: false, reason: violation };
}
