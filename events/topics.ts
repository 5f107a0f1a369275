/** The topics of design section 4: what keys them and how long they are kept. Schemas lie in events/schemas/. */

export interface TopicSpec {
  /** What the key is, for people. */
  readonly key: string;
  readonly partitions: number;
  /** Only the newest message of each key is kept. */
  readonly isCompacted: boolean;
  /** For how long; undefined: for ever. */
  readonly keptMs: number | undefined;
}

const DAY_MS = 24 * 3_600_000;

export const TOPICS = {
  'user-events': { key: 'uid', partitions: 4, isCompacted: false, keptMs: 7 * DAY_MS },
  'tag-changes': { key: 'uid', partitions: 4, isCompacted: false, keptMs: 7 * DAY_MS },
  'crowd-rules': { key: 'crowd code', partitions: 1, isCompacted: true, keptMs: undefined },
  'membership-changes': {
    key: 'uid, or the crowd code of a refresh',
    partitions: 4,
    isCompacted: false,
    keptMs: DAY_MS,
  },
  'activity-events': { key: 'activity id', partitions: 1, isCompacted: false, keptMs: 7 * DAY_MS },
  'activity-triggers': { key: 'activity id', partitions: 1, isCompacted: false, keptMs: 7 * DAY_MS },
} as const satisfies Record<string, TopicSpec>;

export type BaseTopicName = keyof typeof TOPICS;
export type TopicName = BaseTopicName | `${BaseTopicName}.dlq`;

/** Time enough to look into them. */
const DEAD_LETTER_KEPT_MS = 14 * DAY_MS;

export function deadLetterTopic(topic: BaseTopicName): `${BaseTopicName}.dlq` {
  return `${topic}.dlq`;
}

/** Whether messages of `topic` that break its schema have a place to go. */
export function isBaseTopic(topic: TopicName): topic is BaseTopicName {
  return Object.hasOwn(TOPICS, topic);
}

export function topicSpec(topic: TopicName): TopicSpec {
  if (isBaseTopic(topic)) return TOPICS[topic];
  // Whoever meets the message puts it aside: each gateway, and at each start; so the letter's key is what names the message.
  return { key: 'topic/partition/offset', partitions: 1, isCompacted: true, keptMs: DEAD_LETTER_KEPT_MS };
}
