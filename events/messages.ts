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
  /** The rule's JSON, as stored. */
  readonly rule: unknown;
}
