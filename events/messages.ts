/** The messages that Quanren itself writes, as types; events/schemas/ has the published JSON Schemas. */

/** Topic `membership-changes`. */
export type MembershipMessage =
  | {
      readonly type: 'membership-changed';
      readonly uid: string;
      readonly crowdCode: string;
      readonly kind: 'enter' | 'leave';
      readonly changeTimeMs: number;
    }
  /** Too many changes to tell one by one: caches forget everything. */
  | { readonly type: 'crowd-refreshed'; readonly crowdCode: string; readonly changeTimeMs: number }
  /** Proof that the stream is alive, to every partition, each second. */
  | { readonly type: 'heartbeat'; readonly sentAtMs: number };

/** Topic `crowd-rules`, keyed by crowd code, compacted; a deleted crowd is a tombstone. */
export interface CrowdRuleMessage {
  readonly crowdCode: string;
  readonly status: 'active' | 'paused';
  /** 1, 2, 3 … */
  readonly ruleVersion: number;
  /** The rule's JSON as text, as stored: a JSON value would lose digits of its numbers in many a reader. */
  readonly rule: string;
}

/** Topic `user-events`, keyed by uid. */
export interface UserEventMessage {
  /** Unique; a repeated event has the same. */
  readonly eventId: string;
  readonly uid: string;
  /** What happened, for example `page_view`. */
  readonly event: string;
  readonly eventTimeMs: number;
  readonly properties?: Readonly<Record<string, string | number | boolean | null>>;
}

/** Topic `tag-changes`, keyed by uid. */
export interface TagChangeMessage {
  readonly uid: string;
  readonly tagCode: string;
  /** In the tag's declared format; null removes the tag. */
  readonly value: string | null;
  readonly changeTimeMs: number;
}

/** Topic `activity-events`, keyed by activity id. */
export interface ActivityEventMessage {
  /** Unique; a repeated event has the same. */
  readonly eventId: string;
  readonly activityId: string;
  readonly uid: string;
  readonly kind: 'reach' | 'click' | 'conversion';
  readonly eventTimeMs: number;
}

/** Topic `activity-triggers`, keyed by activity id. */
export interface ActivityTriggerMessage {
  readonly activityId: string;
  readonly uid: string;
  readonly crowdCode: string;
  readonly triggeredAtMs: number;
}

/** Topics `….dlq`: a stored message that broke its topic's schema, keyed by its topic, partition and offset. */
export interface DeadLetterMessage {
  readonly topic: string;
  readonly partition: number;
  /** Digits: JSON numbers may not hold it. */
  readonly offset: string;
  readonly key: string;
  /** The bytes of the value as UTF-8 text; null for a message without a value. */
  readonly value: string | null;
  readonly reason: string;
}
