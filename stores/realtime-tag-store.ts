/** The realtime tags of users: `rt_last_click_ts` → `1678886400`, values in each tag's declared format. */
import type { ApplyResult, ReadOptions } from './membership-store.js';

/** The longest value, in bytes of UTF-8. Neither U+0000 nor lone surrogates may be in it. */
export const MAX_TAG_VALUE_BYTES = 32_768;

export interface RealtimeTagChange {
  readonly uid: string;
  readonly tagCode: string;
  /** null removes the tag. */
  readonly value: string | null;
  /** Epoch milliseconds of the event. The newest decides; at a tie removal wins, then the greater value by code point. */
  readonly changeTimeMs: number;
}

/** tag code → value */
export type RealtimeTags = ReadonlyMap<string, string>;

export interface RealtimeTagStore {
  get(uid: string, options?: ReadOptions): Promise<RealtimeTags>;
  getMany(uids: readonly string[], options?: ReadOptions): Promise<RealtimeTags[]>;
  /** The bounds on change times are those of the membership store. */
  apply(changes: readonly RealtimeTagChange[], nowMs: number): Promise<ApplyResult>;
  clear(): Promise<void>;
  close(): Promise<void>;
}
