/** What the platform's API stands on. The API checks requests, rules and scopes; these do the work. */
import type { Catalog } from '../catalog/catalog.js';
import type { ComputeCause, CrowdRun, ExportRequest, QualityResult, UserOrigin } from '../catalog/types.js';
import type { CheckedRule } from '../rules/ast.js';
import type { Tag } from '../rules/tag.js';

export interface PlatformServices {
  readonly catalog: Catalog;
  readonly warehouse: WarehouseService;
  readonly runs: RunService;
}

/**
 * Business dates are `1998-06-30`; an absent one is the newest complete partition of the wide table: of real users, or
 * of synthetic ones where there are no others.
 */
export interface WarehouseService {
  /** null before the first load. */
  newestDt(): Promise<string | null>;
  /**
   * Throws `not_found` where there is no complete partition of that date, `invalid_rule` where a tag cannot be read from
   * it, `unavailable` after `deadlineMs`.
   */
  previewRule(rule: CheckedRule, options: PreviewOptions): Promise<RulePreview>;
  /**
   * null for a user who is not in the partition. Throws `not_found` where there is no such partition, `invalid_rule`
   * where a tag of the rule cannot be read from it.
   */
  readUserRow(
    uid: string,
    options: { readonly dt?: string | undefined; readonly rule?: CheckedRule },
  ): Promise<UserRow | null>;
  /** A sentence if the newest partition has the tag's column with another type than the declared one. */
  findTypeConflict(tag: Tag): Promise<string | null>;
  /** Loads a file through the layers; loading it again changes nothing. `fileName` is what ODS records. */
  loadPurchases(file: string, options: LoadPurchasesOptions): Promise<LoadReport>;
  /** Refuses (`conflict`) a date that holds real data. */
  generateUsers(options: GenerateUsersOptions): Promise<LoadReport>;
}

export interface PreviewOptions {
  readonly dt?: string;
  /** Users to show, default 10. */
  readonly sampleSize?: number;
  readonly deadlineMs?: number;
}

export interface RulePreview {
  readonly dt: string;
  readonly origin: UserOrigin;
  /** Exact. */
  readonly userCount: number;
  readonly sampleUids: readonly string[];
}

export interface UserRow {
  readonly uid: string;
  readonly dt: string;
  readonly origin: UserOrigin;
  /** column → the text of what it holds, as `decodeValue` of rules/ takes it; null is NULL. */
  readonly columns: ReadonlyMap<string, string | null>;
}

export interface LoadPurchasesOptions {
  readonly fileName: string;
  /** Default: the newest purchase date in the file. */
  readonly dt?: string;
  readonly onProgress?: (progress: LoadProgress) => void;
}

export interface GenerateUsersOptions {
  /** 1 to 100,000,000. */
  readonly count: number;
  readonly seed: number;
  readonly dt?: string;
  readonly onProgress?: (progress: LoadProgress) => void;
}

export interface LoadProgress {
  readonly step: string;
  readonly done?: number;
  readonly total?: number;
}

/** Counts and what else a load has to tell, in plain JSON values; `dt` is the partition of the wide table. */
export interface LoadReport {
  readonly dt: string;
  readonly origin: UserOrigin;
  /** Measured of what the load has left in the layers. */
  readonly quality: readonly QualityResult[];
  readonly [detail: string]: unknown;
}

export interface RunRequest {
  /** Crowds that exist; an empty list is every active crowd. */
  readonly crowdCodes: readonly string[];
  /** Default: the newest complete partition, of real users before synthetic ones. */
  readonly dt?: string;
  readonly export?: ExportRequest;
  readonly cause: ComputeCause;
  readonly requestedBy: string;
}

export interface RunService {
  /**
   * Resolves when the runs are recorded as queued in the catalog, in one batch; they go on by themselves and their
   * state is read from the catalog. Throws `not_found` (crowd, partition), `conflict` (a paused crowd), `overloaded`
   * (the queue is full).
   */
  start(request: RunRequest): Promise<readonly CrowdRun[]>;
  /**
   * Deletes a crowd at the version that the caller has seen. Resolves with the run that empties it, which goes on by
   * itself; null where the crowd was never computed. Throws as the catalog does.
   */
  deleteCrowd(
    crowdCode: string,
    by: { readonly principal: string; readonly expected: number },
  ): Promise<CrowdRun | null>;
}
