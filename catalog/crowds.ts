/**
 * Crowds and their versions. Every save writes the crowd, a version that never changes again, the audit and the
 * outbox in one transaction; nobody overwrites what they have not seen.
 */
import { QuanrenError } from '../errors/quanren-error.js';
import { recordAudit } from './audit.js';
import { type Database, one, type Queryable } from './database.js';
import { enqueueCrowd, enqueueCrowdDeletion } from './outbox.js';
import { toPage } from './paging.js';
import { checkRuleOfCrowd, findUses, hashRule } from './rule-check.js';
import { requestDeletion } from './runs.js';
import type {
  Crowd,
  CrowdDefinition,
  CrowdRun,
  CrowdStatus,
  CrowdVersion,
  Page,
  PageRequest,
  UserOrigin,
} from './types.js';

export interface CrowdChange {
  readonly principal: string;
  /** Why, in the author's words. */
  readonly reason?: string | null;
  /** The version that is to be changed, or `absent` where there must be no such crowd yet. */
  readonly expected: number | 'absent';
}

export interface CrowdDeletion {
  readonly principal: string;
  readonly expected: number;
  /** Refused with `overloaded` where more runs than this would be unfinished. */
  readonly maxUnfinished: number;
}

export interface CrowdRepository {
  /** By code. */
  list(page: PageRequest, filter?: { readonly status?: CrowdStatus | undefined }): Promise<Page<Crowd>>;
  /** Throws `not_found`. */
  get(crowdCode: string): Promise<Crowd>;
  /** Newest first. Throws `not_found` for a crowd that never was. */
  versions(crowdCode: string, page: PageRequest): Promise<Page<CrowdVersion>>;
  /** Throws `not_found`. */
  version(crowdCode: string, version: number): Promise<CrowdVersion>;
  /**
   * Creates or replaces; a definition that is already so makes no new version. Throws `precondition_failed`,
   * `invalid_rule` with diagnostics, and `conflict` with the crowds that refer to this one and would break, or with the
   * run that is still emptying a deleted crowd of this code.
   */
  save(
    crowdCode: string,
    definition: CrowdDefinition,
    change: CrowdChange,
  ): Promise<{ crowd: Crowd; isNew: boolean }>;
  /** A new version with the content of an old one. Throws as `save`, and `not_found`. */
  rollBack(crowdCode: string, toVersion: number, change: CrowdChange & { expected: number }): Promise<Crowd>;
  /** What is already so stays. Throws `not_found`. */
  setStatus(crowdCode: string, status: CrowdStatus, principal: string): Promise<Crowd>;
  /** The crowds that have a schedule, paused ones too. */
  schedules(): Promise<CrowdSchedule[]>;
  /**
   * Returns the run, queued in the same transaction, that takes the members out of the store; null where the crowd was
   * never computed. Throws `not_found`, `precondition_failed`, `overloaded`, and `conflict` with the crowds, activities
   * and runs that need it.
   */
  delete(crowdCode: string, deletion: CrowdDeletion): Promise<CrowdRun | null>;
}

export interface CrowdSchedule {
  readonly crowdCode: string;
  readonly status: CrowdStatus;
  readonly scheduleCron: string;
  /** Epoch milliseconds: when its last scheduled run was asked for, or its current version saved if that is later. */
  readonly countFromMs: number;
}

interface CrowdRow {
  readonly crowd_code: string;
  readonly crowd_name: string;
  readonly description: string | null;
  readonly owner: string | null;
  readonly rule_json: string;
  readonly schedule_cron: string | null;
  readonly last_calc_dt: string | null;
  readonly last_calc_origin: UserOrigin | null;
  readonly user_count: number;
  readonly status: CrowdStatus;
  readonly version: number;
  readonly create_time: Date;
  readonly updated_at: Date;
}

const COLUMNS = `crowd_code, crowd_name, description, owner, rule_json, schedule_cron, last_calc_dt, last_calc_origin,
  user_count, status, version,
  create_time::timestamptz AS create_time, updated_at`;

function toCrowd(row: CrowdRow): Crowd {
  return {
    crowdCode: row.crowd_code,
    crowdName: row.crowd_name,
    description: row.description,
    owner: row.owner,
    ruleJson: row.rule_json,
    scheduleCron: row.schedule_cron,
    version: row.version,
    status: row.status,
    lastCalcDt: row.last_calc_dt,
    lastCalcOrigin: row.last_calc_origin,
    userCount: row.user_count,
    createTime: row.create_time,
    updatedAt: row.updated_at,
  };
}

interface VersionRow {
  readonly crowd_code: string;
  readonly version: number;
  readonly crowd_name: string;
  readonly description: string | null;
  readonly owner: string | null;
  readonly rule_json: string;
  readonly rule_hash: string;
  readonly schedule_cron: string | null;
  readonly author: string;
  readonly reason: string | null;
  readonly restored_version: number | null;
  readonly created_at: Date;
}

const VERSION_COLUMNS = `crowd_code, version, crowd_name, description, owner, rule_json, rule_hash, schedule_cron,
  author, reason, restored_version, created_at`;

function toVersion(row: VersionRow): CrowdVersion {
  return {
    crowdCode: row.crowd_code,
    version: row.version,
    crowdName: row.crowd_name,
    description: row.description,
    owner: row.owner,
    ruleJson: row.rule_json,
    ruleHash: row.rule_hash,
    scheduleCron: row.schedule_cron,
    author: row.author,
    reason: row.reason,
    restoredVersion: row.restored_version,
    createdAt: row.created_at,
  };
}

export function createCrowdRepository(database: Database, zone: string): CrowdRepository {
  return {
    async list(page, filter = {}) {
      const rows = await database.query<CrowdRow>(
        `SELECT ${COLUMNS} FROM crowd_rules
         WHERE ($1::text IS NULL OR crowd_code > $1) AND ($2::text IS NULL OR status = $2)
         ORDER BY crowd_code LIMIT $3`,
        [page.after, filter.status ?? null, page.limit + 1],
      );
      return toPage(rows.map(toCrowd), page.limit, (crowd) => crowd.crowdCode);
    },

    async get(crowdCode) {
      return present(await find(database, crowdCode), crowdCode);
    },

    async versions(crowdCode, page) {
      const rows = await database.query<VersionRow>(
        `SELECT ${VERSION_COLUMNS} FROM crowd_rule_versions
         WHERE crowd_code = $1 AND ($2::int IS NULL OR version < $2)
         ORDER BY version DESC LIMIT $3`,
        [crowdCode, page.after, page.limit + 1],
      );
      if (rows.length === 0 && page.after === null) present(undefined, crowdCode);
      return toPage(rows.map(toVersion), page.limit, (version) => String(version.version));
    },

    version: (crowdCode, version) => findVersion(database, crowdCode, version),

    save: (crowdCode, definition, change) =>
      database.change((tx) => saveCrowd(tx, zone, crowdCode, definition, change, null)),

    rollBack: (crowdCode, toVersion, change) =>
      database.change(async (tx) => {
        present(await find(tx, crowdCode), crowdCode);
        const { crowdName, description, owner, ruleJson, scheduleCron } = await findVersion(
          tx,
          crowdCode,
          toVersion,
        );
        const definition = { crowdName, description, owner, ruleJson, scheduleCron };
        return (await saveCrowd(tx, zone, crowdCode, definition, change, toVersion)).crowd;
      }),

    setStatus: (crowdCode, status, principal) =>
      database.change(async (tx) => {
        const before = present(await find(tx, crowdCode), crowdCode);
        if (before.status === status) return before;
        const row = one(
          await tx.query<CrowdRow>(
            `UPDATE crowd_rules SET status = $2, updated_at = CURRENT_TIMESTAMP
             WHERE crowd_code = $1 RETURNING ${COLUMNS}`,
            [crowdCode, status],
          ),
        );
        const crowd = toCrowd(row);
        await audit(tx, status === 'paused' ? 'crowd.pause' : 'crowd.resume', principal, before, crowd);
        await enqueueCrowd(tx, crowd);
        return crowd;
      }),

    async schedules() {
      const rows = await database.query<{
        crowd_code: string;
        status: CrowdStatus;
        schedule_cron: string;
        count_from: Date;
      }>(
        `SELECT c.crowd_code, c.status, c.schedule_cron, greatest(v.created_at, r.requested_at) AS count_from
         FROM crowd_rules c
         JOIN crowd_rule_versions v USING (crowd_code, version)
         LEFT JOIN LATERAL (
           SELECT max(requested_at) AS requested_at FROM crowd_runs
           WHERE crowd_code = c.crowd_code AND cause = 'schedule') r ON true
         WHERE c.schedule_cron IS NOT NULL ORDER BY c.crowd_code`,
      );
      return rows.map(({ crowd_code, status, schedule_cron, count_from }) => ({
        crowdCode: crowd_code,
        status,
        scheduleCron: schedule_cron,
        countFromMs: count_from.getTime(),
      }));
    },

    delete: (crowdCode, { principal, expected, maxUnfinished }) =>
      database.change(async (tx) => {
        const before = present(await find(tx, crowdCode), crowdCode);
        expect(before, crowdCode, expected);
        await refuseIfUsed(tx, crowdCode);
        const run = await requestDeletion(tx, { crowdCode, requestedBy: principal, maxUnfinished });
        await tx.query('DELETE FROM crowd_rules WHERE crowd_code = $1', [crowdCode]);
        await audit(tx, 'crowd.delete', principal, before, null);
        await enqueueCrowdDeletion(tx, crowdCode);
        return run;
      }),
  };
}

async function find(on: Queryable, crowdCode: string): Promise<Crowd | undefined> {
  const [row] = await on.query<CrowdRow>(`SELECT ${COLUMNS} FROM crowd_rules WHERE crowd_code = $1`, [
    crowdCode,
  ]);
  return row === undefined ? undefined : toCrowd(row);
}

async function findVersion(on: Queryable, crowdCode: string, version: number): Promise<CrowdVersion> {
  const [row] = await on.query<VersionRow>(
    `SELECT ${VERSION_COLUMNS} FROM crowd_rule_versions WHERE crowd_code = $1 AND version = $2`,
    [crowdCode, version],
  );
  if (row === undefined) {
    throw new QuanrenError('not_found', `There is no version ${version} of the crowd '${crowdCode}'.`);
  }
  return toVersion(row);
}

function present(crowd: Crowd | undefined, crowdCode: string): Crowd {
  if (crowd === undefined) throw new QuanrenError('not_found', `There is no crowd '${crowdCode}'.`);
  return crowd;
}

function expect(before: Crowd | undefined, crowdCode: string, expected: number | 'absent'): void {
  const version = before?.version ?? 'absent';
  if (expected === version) return;
  const now = before === undefined ? 'does not exist' : `has version ${version}`;
  const wanted = expected === 'absent' ? 'that it does not exist' : `version ${expected}`;
  throw new QuanrenError(
    'precondition_failed',
    `The crowd ${crowdCode} ${now}, and the request expects ${wanted}. Read it again and repeat the change.`,
    before === undefined ? {} : { extra: { currentVersion: before.version } },
  );
}

async function saveCrowd(
  tx: Queryable,
  zone: string,
  crowdCode: string,
  definition: CrowdDefinition,
  change: CrowdChange,
  restoredVersion: number | null,
): Promise<{ crowd: Crowd; isNew: boolean }> {
  const before = await find(tx, crowdCode);
  expect(before, crowdCode, change.expected);
  if (before !== undefined && isSame(before, definition)) return { crowd: before, isNew: false };
  if (before === undefined) await refuseWhileEmptied(tx, crowdCode);
  const { crowdName, description, owner, ruleJson, scheduleCron } = definition;
  const { last } = one(
    await tx.query<{ last: number }>(
      'SELECT coalesce(max(version), 0) AS last FROM crowd_rule_versions WHERE crowd_code = $1',
      [crowdCode],
    ),
  );
  const row = one(
    await tx.query<CrowdRow>(
      `INSERT INTO crowd_rules (crowd_code, crowd_name, description, owner, rule_json, schedule_cron, version)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (crowd_code) DO UPDATE SET
         crowd_name = $2, description = $3, owner = $4, rule_json = $5, schedule_cron = $6, version = $7,
         updated_at = CURRENT_TIMESTAMP
       RETURNING ${COLUMNS}`,
      [crowdCode, crowdName, description, owner, ruleJson, scheduleCron, last + 1],
    ),
  );
  const crowd = toCrowd(row);
  await replaceUses(tx, crowdCode, ruleJson);
  await checkRuleOfCrowd(tx, zone, crowdCode);
  await tx.query(
    `INSERT INTO crowd_rule_versions (crowd_code, version, crowd_name, description, owner, rule_json, rule_hash,
       schedule_cron, author, reason, restored_version)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
    [
      crowdCode,
      crowd.version,
      crowdName,
      description,
      owner,
      ruleJson,
      hashRule(ruleJson),
      scheduleCron,
      change.principal,
      change.reason ?? null,
      restoredVersion,
    ],
  );
  const action = restoredVersion === null ? 'crowd.save' : 'crowd.roll_back';
  await audit(tx, action, change.principal, before ?? null, crowd);
  await enqueueCrowd(tx, crowd);
  return { crowd, isNew: before === undefined };
}

function isSame(crowd: Crowd, definition: CrowdDefinition): boolean {
  return (Object.keys(definition) as (keyof CrowdDefinition)[]).every(
    (key) => crowd[key] === definition[key],
  );
}

/** Before the check, so only of what exists; a rule that reads anything else does not pass the check. */
async function replaceUses(tx: Queryable, crowdCode: string, ruleJson: string): Promise<void> {
  const uses = findUses(ruleJson);
  await tx.query('DELETE FROM crowd_uses_tag WHERE crowd_code = $1', [crowdCode]);
  await tx.query('DELETE FROM crowd_uses_crowd WHERE crowd_code = $1', [crowdCode]);
  await tx.query(
    'INSERT INTO crowd_uses_tag SELECT $1::text, tag_code FROM tag_metadata WHERE tag_code = ANY ($2)',
    [crowdCode, uses.tagCodes],
  );
  await tx.query(
    `INSERT INTO crowd_uses_crowd
     SELECT $1::text, crowd_code FROM crowd_rules WHERE crowd_code = ANY ($2) AND crowd_code <> $1::text`,
    [crowdCode, uses.crowdCodes],
  );
}

/** The members of a deleted crowd may be in the store still: a new one of its code would begin with them. */
async function refuseWhileEmptied(tx: Queryable, crowdCode: string): Promise<void> {
  const [run] = await tx.query<{ run_id: number }>(
    "SELECT run_id FROM crowd_runs WHERE crowd_code = $1 AND status IN ('queued', 'running')",
    [crowdCode],
  );
  if (run === undefined) return;
  throw new QuanrenError(
    'conflict',
    `A crowd '${crowdCode}' was deleted, and run ${run.run_id} is still taking its members out of the store: create it again when that run is committed.`,
    { extra: { usedBy: [{ kind: 'run', code: String(run.run_id) }] } },
  );
}

async function refuseIfUsed(tx: Queryable, crowdCode: string): Promise<void> {
  const usedBy = await tx.query<{ kind: string; code: string }>(
    `SELECT 'crowd' AS kind, crowd_code AS code FROM crowd_uses_crowd WHERE used_crowd_code = $1
     UNION ALL SELECT 'activity', activity_id FROM marketing_activity WHERE crowd_code = $1
     UNION ALL SELECT 'run', run_id::text FROM crowd_runs
       WHERE crowd_code = $1 AND status IN ('queued', 'running')
     ORDER BY kind, code`,
    [crowdCode],
  );
  if (usedBy.length === 0) return;
  const list = usedBy.map(({ kind, code }) => `${kind} ${code}`).join(', ');
  throw new QuanrenError('conflict', `The crowd ${crowdCode} is needed by: ${list}.`, { extra: { usedBy } });
}

async function audit(
  tx: Queryable,
  action: string,
  principal: string,
  before: Crowd | null,
  after: Crowd | null,
): Promise<void> {
  await recordAudit(tx, {
    principal,
    action,
    subjectKind: 'crowd',
    subjectKey: (after ?? before)?.crowdCode ?? '',
    before: before && { ...before },
    after: after && { ...after },
  });
}
