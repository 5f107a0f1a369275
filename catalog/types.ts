/** What the catalog knows, as the rest of the product sees it. Rows never leave this room. */
import type { TagType } from '../rules/tag.js';

/** What a person says of a tag. Absent details are null. */
export interface TagDefinition {
  /** `[a-z][a-z0-9_]{0,49}` */
  readonly tagCode: string;
  readonly tagName: string;
  readonly tagType: TagType;
  /** The user's key in the source, for example `uid`. */
  readonly bizKeyField: string;
  /** Null is the wide table. */
  readonly sourceTable: string | null;
  /** The column; null is the tag's code. */
  readonly sourceField: string | null;
  /** The column's SQL type; null is text. */
  readonly sourceType: string | null;
  /** How a datetime is written; null for other types, and for native columns. */
  readonly valueFormat: string | null;
  readonly calculationType: 'offline' | 'realtime';
  /** For example `daily`. */
  readonly updateFreq: string | null;
  readonly description: string | null;
  readonly owner: string | null;
}

export interface TagRecord extends TagDefinition {
  /** 1, 2, 3 … */
  readonly version: number;
  readonly createTime: Date;
  readonly updatedAt: Date;
}

/** Where users come from. Synthetic ones are never mixed with real ones, and never take their place. */
export type UserOrigin = 'real' | 'synthetic';

export type CrowdStatus = 'active' | 'paused';

/** What a person says of a crowd; each saved change of it is a new version. */
export interface CrowdDefinition {
  readonly crowdName: string;
  readonly description: string | null;
  readonly owner: string | null;
  /** The rule's JSON text, as it was given: numbers keep all their digits. */
  readonly ruleJson: string;
  readonly scheduleCron: string | null;
}

export interface Crowd extends CrowdDefinition {
  readonly crowdCode: string;
  /** Of the definition: 1, 2, 3 … */
  readonly version: number;
  readonly status: CrowdStatus;
  /** The dt of the newest committed run, `1998-06-30`; null before the first. */
  readonly lastCalcDt: string | null;
  /** Whose members they are; null before the first run, and where it was not noted. */
  readonly lastCalcOrigin: UserOrigin | null;
  readonly userCount: number;
  readonly createTime: Date;
  readonly updatedAt: Date;
}

export interface CrowdVersion extends CrowdDefinition {
  readonly crowdCode: string;
  readonly version: number;
  /** sha-256 of the rule's canonical text, in hex. */
  readonly ruleHash: string;
  readonly author: string;
  readonly reason: string | null;
  /** The version whose content a roll back brought back. */
  readonly restoredVersion: number | null;
  readonly createdAt: Date;
}

export type RunStatus = 'queued' | 'running' | 'committed' | 'failed';
/** Why a crowd is computed. */
export type ComputeCause = 'manual' | 'schedule' | 'demo';
/** `deletion`: the crowd was deleted, and the run takes its members out of the store. */
export type RunCause = ComputeCause | 'deletion';

export interface ExportRequest {
  readonly format: 'csv' | 'parquet';
  readonly folder: string;
}

/** One run of one crowd: for one business date, or of a deleted crowd, to empty it. */
export interface CrowdRun {
  readonly runId: number;
  /** Runs asked for together share one scan. */
  readonly batchId: string;
  readonly crowdCode: string;
  /** The version current when the run was asked for; a repeat keeps it. */
  readonly ruleVersion: number;
  /** `1998-06-30`; null for a deletion, and for no other. */
  readonly dt: string | null;
  readonly status: RunStatus;
  readonly cause: RunCause;
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** Null until the run begins. */
  readonly changeTimeMs: number | null;
  /** Of the partition; null where it was not noted. */
  readonly origin: UserOrigin | null;
  /**
   * False where a committed run outranks this one: real users before synthetic ones, then the newer dt. Null until the
   * run begins.
   */
  readonly updatesStore: boolean | null;
  readonly step: string | null;
  readonly progress: { readonly done: number; readonly total: number } | null;
  readonly counts: RunCounts | null;
  /** Why it failed; of a committed run, why its export did; of a deletion queued again, why it did not come through. */
  readonly error: string | null;
  readonly export: ExportRequest | null;
}

export interface RunCounts {
  readonly entered: number;
  readonly left: number;
  readonly total: number;
}

export interface Activity {
  readonly activityId: string;
  readonly activityName: string;
  readonly crowdCode: string | null;
  readonly channel: string | null;
  /** Civil times of the platform's zone. */
  readonly startTime: string;
  readonly endTime: string;
  readonly status: 'planning' | 'running' | 'ended';
  readonly totalReachCount: number;
  readonly conversionCount: number;
}

export type QualityCheckKind = 'null_rate' | 'value_range' | 'skew' | 'uniqueness' | 'volume' | 'validity';

export interface QualityResult {
  readonly dt: string;
  readonly tableName: string;
  /** Null where the check is on the table as a whole. */
  readonly columnName: string | null;
  readonly checkName: string;
  readonly checkKind: QualityCheckKind;
  readonly status: 'passed' | 'warning' | 'failed';
  /** Exact decimal text, as are the bounds; a null bound is open. */
  readonly observed: string;
  readonly lowerBound: string | null;
  readonly upperBound: string | null;
  readonly rowsChecked: number;
  readonly rowsFailed: number;
  readonly detail: string | null;
}

export interface QualityReport extends QualityResult {
  readonly reportId: number;
  readonly createdAt: Date;
}

export type LoadKind = 'purchases' | 'synthetic';

/** A load into the warehouse that was accepted. */
export interface Load {
  readonly loadId: number;
  readonly kind: LoadKind;
  readonly request: Readonly<Record<string, unknown>>;
  readonly status: 'queued' | 'running' | 'done' | 'failed';
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  /** What the load reported, once done. */
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: string | null;
}

export interface AuditEntry {
  readonly auditId: number;
  readonly at: Date;
  readonly principal: string;
  /** For example `crowd.save`. */
  readonly action: string;
  readonly subjectKind: 'tag' | 'crowd' | 'run' | 'load';
  readonly subjectKey: string;
  /** What it was and what it became; null where it did not exist. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>> | null;
}

/** A page of a list; `next` goes into the following request, null after the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

export interface PageRequest {
  /** 1 to 1,000. */
  readonly limit: number;
  readonly after: string | null;
}
