/**
 * The journal of crowd runs. States: queued → running → committed | failed. A run that is found running after a crash
 * is begun again: it keeps its rule version, its change time and whether it updates the store. A deletion never fails,
 * because the crowd's code waits for it: it is queued again.
 */
import { randomUUID } from 'node:crypto';
import { QuanrenError } from '../errors/quanren-error.js';
import { recordAudit } from './audit.js';
import { type Database, one, type Queryable } from './database.js';
import { toPage } from './paging.js';
import type {
  ComputeCause,
  CrowdRun,
  ExportRequest,
  Page,
  PageRequest,
  RunCause,
  RunCounts,
  RunStatus,
  UserOrigin,
} from './types.js';

export interface RunOrder {
  /** At least one; crowds that exist and are active, without repeats. */
  readonly crowdCodes: readonly string[];
  readonly dt: string;
  readonly origin: UserOrigin;
  readonly export?: ExportRequest | undefined;
  readonly cause: ComputeCause;
  readonly requestedBy: string;
  /** Refused with `overloaded` where more than this would be unfinished. */
  readonly maxUnfinished: number;
}

/** What is queued; a deletion has no dt. */
type QueuedOrder = Omit<RunOrder, 'dt' | 'origin' | 'cause'> & Pick<CrowdRun, 'dt' | 'origin' | 'cause'>;

export interface BeginOptions {
  readonly nowMs: number;
  /** A repeat whose change time is before this gets a new one: the store would refuse the old. */
  readonly renewBeforeMs: number;
}

export interface RunFilter {
  readonly crowdCode?: string | undefined;
  readonly status?: RunStatus | undefined;
  readonly batchId?: string | undefined;
}

export interface RunRepository {
  /** Queues one batch at the crowds' current versions. Throws `not_found`, `conflict` (paused), `overloaded`. */
  request(order: RunOrder): Promise<CrowdRun[]>;
  /** Throws `not_found`. */
  get(runId: number): Promise<CrowdRun>;
  /** Newest first. */
  list(page: PageRequest, filter?: RunFilter): Promise<Page<CrowdRun>>;
  /** Queued and running, in the order they were asked for. */
  unfinished(): Promise<CrowdRun[]>;
  /** The newest committed run that updated the store, which may be the deletion of an earlier crowd of that code. */
  lastCommitted(crowdCode: string): Promise<CrowdRun | null>;
  /** Makes a run running, with a change time greater than any of its crowd; durable when it resolves. */
  begin(runId: number, options: BeginOptions): Promise<CrowdRun>;
  reachStep(runId: number, step: string, progress?: { done: number; total: number }): Promise<void>;
  /**
   * Also sets the crowd's `userCount` and `lastCalcDt` where the run updates the store. Repeating it is harmless.
   * `exportError` is a sentence for people.
   */
  commit(runId: number, counts: RunCounts, exportError?: string): Promise<CrowdRun>;
  /**
   * `error` is a sentence for people. A run already committed stays so, and a deletion is queued again. Resolves with
   * whether the run has ended.
   */
  fail(runId: number, error: string): Promise<boolean>;
}

interface RunRow {
  readonly run_id: number;
  readonly batch_id: string;
  readonly crowd_code: string;
  readonly rule_version: number;
  readonly dt: string | null;
  readonly origin: UserOrigin | null;
  readonly status: RunStatus;
  readonly cause: RunCause;
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly change_time_ms: number | null;
  readonly updates_store: boolean | null;
  readonly step: string | null;
  readonly steps_done: number | null;
  readonly steps_total: number | null;
  readonly entered_count: number | null;
  readonly left_count: number | null;
  readonly total_count: number | null;
  readonly error: string | null;
  readonly export_format: ExportRequest['format'] | null;
  readonly export_folder: string | null;
}

const COLUMNS = `run_id, batch_id, crowd_code, rule_version, dt, origin, status, cause, requested_by, requested_at,
  started_at, finished_at, change_time_ms, updates_store, step, steps_done, steps_total, entered_count, left_count, total_count,
  error, export_format, export_folder`;

function toRun(row: RunRow): CrowdRun {
  const { steps_done, steps_total, entered_count, left_count, total_count } = row;
  return {
    runId: row.run_id,
    batchId: row.batch_id,
    crowdCode: row.crowd_code,
    ruleVersion: row.rule_version,
    dt: row.dt,
    origin: row.origin,
    status: row.status,
    cause: row.cause,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    changeTimeMs: row.change_time_ms,
    updatesStore: row.updates_store,
    step: row.step,
    progress: steps_done === null || steps_total === null ? null : { done: steps_done, total: steps_total },
    counts:
      entered_count === null || left_count === null || total_count === null
        ? null
        : { entered: entered_count, left: left_count, total: total_count },
    error: row.error,
    export:
      row.export_format === null || row.export_folder === null
        ? null
        : { format: row.export_format, folder: row.export_folder },
  };
}

export function createRunRepository(database: Database): RunRepository {
  return {
    request: (order) => database.change((tx) => requestRuns(tx, order)),

    async get(runId) {
      const [row] = await database.query<RunRow>(`SELECT ${COLUMNS} FROM crowd_runs WHERE run_id = $1`, [
        runId,
      ]);
      if (row === undefined) throw new QuanrenError('not_found', `There is no run ${runId}.`);
      return toRun(row);
    },

    async list(page, filter = {}) {
      const rows = await database.query<RunRow>(
        `SELECT ${COLUMNS} FROM crowd_runs
         WHERE ($1::bigint IS NULL OR run_id < $1)
           AND ($2::text IS NULL OR crowd_code = $2)
           AND ($3::text IS NULL OR status = $3)
           AND ($4::uuid IS NULL OR batch_id = $4)
         ORDER BY run_id DESC LIMIT $5`,
        [page.after, filter.crowdCode ?? null, filter.status ?? null, filter.batchId ?? null, page.limit + 1],
      );
      return toPage(rows.map(toRun), page.limit, (run) => String(run.runId));
    },

    async unfinished() {
      const rows = await database.query<RunRow>(
        `SELECT ${COLUMNS} FROM crowd_runs WHERE status IN ('queued', 'running') ORDER BY run_id`,
      );
      return rows.map(toRun);
    },

    async lastCommitted(crowdCode) {
      const [row] = await database.query<RunRow>(
        `SELECT ${COLUMNS} FROM crowd_runs
         WHERE crowd_code = $1 AND status = 'committed' AND updates_store
         ORDER BY change_time_ms DESC LIMIT 1`,
        [crowdCode],
      );
      return row === undefined ? null : toRun(row);
    },

    begin: (runId, options) => database.change((tx) => beginRun(tx, runId, options)),

    async reachStep(runId, step, progress) {
      await database.query(
        `UPDATE crowd_runs SET step = $2, steps_done = $3, steps_total = $4
         WHERE run_id = $1 AND status = 'running'`,
        [runId, step, progress?.done ?? null, progress?.total ?? null],
      );
    },

    commit: (runId, counts, exportError) =>
      database.change((tx) => commitRun(tx, runId, counts, exportError ?? null)),

    async fail(runId, error) {
      const [now] = await database.query<Pick<RunRow, 'status'>>(
        `UPDATE crowd_runs SET
           error = $2,
           status = CASE cause WHEN 'deletion' THEN 'queued' ELSE 'failed' END,
           finished_at = CASE cause WHEN 'deletion' THEN NULL ELSE CURRENT_TIMESTAMP END
         WHERE run_id = $1 AND status IN ('queued', 'running')
         RETURNING status`,
        [runId, error],
      );
      return now?.status !== 'queued';
    },
  };
}

async function requestRuns(tx: Queryable, order: RunOrder): Promise<CrowdRun[]> {
  const crowds = await tx.query<{ crowd_code: string; version: number; status: string }>(
    'SELECT crowd_code, version, status FROM crowd_rules WHERE crowd_code = ANY ($1)',
    [order.crowdCodes],
  );
  const known = new Map(crowds.map((crowd) => [crowd.crowd_code, crowd]));
  const unknown = order.crowdCodes.filter((code) => !known.has(code));
  if (unknown.length > 0) {
    throw new QuanrenError('not_found', `There is no crowd ${unknown.join(', ')}.`, {
      extra: { crowdCodes: unknown },
    });
  }
  const paused = crowds.filter(({ status }) => status === 'paused').map(({ crowd_code }) => crowd_code);
  if (paused.length > 0) {
    throw new QuanrenError('conflict', `Paused crowds do not run: ${paused.join(', ')}. Resume them first.`, {
      extra: { crowdCodes: paused },
    });
  }
  return queueRuns(tx, order);
}

/**
 * Queues the run that empties a crowd, which is there still and is about to be deleted; null where no run of it has
 * begun, so that there is nothing to empty. Throws `overloaded`.
 */
export async function requestDeletion(
  tx: Queryable,
  order: Pick<RunOrder, 'requestedBy' | 'maxUnfinished'> & { readonly crowdCode: string },
): Promise<CrowdRun | null> {
  const { crowdCode, ...by } = order;
  const [last] = await tx.query<{ cause: RunCause }>(
    `SELECT cause FROM crowd_runs WHERE crowd_code = $1 AND started_at IS NOT NULL
     ORDER BY run_id DESC LIMIT 1`,
    [crowdCode],
  );
  if (last === undefined || last.cause === 'deletion') return null;
  return one(
    await queueRuns(tx, { ...by, crowdCodes: [crowdCode], dt: null, origin: null, cause: 'deletion' }),
  );
}

async function queueRuns(tx: Queryable, order: QueuedOrder): Promise<CrowdRun[]> {
  const { count } = one(
    await tx.query<{ count: number }>(
      "SELECT count(*) AS count FROM crowd_runs WHERE status IN ('queued', 'running')",
    ),
  );
  if (count + order.crowdCodes.length > order.maxUnfinished) {
    throw new QuanrenError(
      'overloaded',
      `${count} runs are unfinished, and at most ${order.maxUnfinished} may be. Ask again when some have ended.`,
    );
  }
  const rows = await tx.query<RunRow>(
    `INSERT INTO crowd_runs (batch_id, crowd_code, rule_version, dt, origin, cause, requested_by,
       export_format, export_folder)
     SELECT $1, c.crowd_code, c.version, $3, $4, $5, $6, $7, $8
     FROM unnest($2::text[]) WITH ORDINALITY AS wanted (code, position)
     JOIN crowd_rules c ON c.crowd_code = wanted.code
     ORDER BY wanted.position
     RETURNING ${COLUMNS}`,
    [
      randomUUID(),
      order.crowdCodes,
      order.dt,
      order.origin,
      order.cause,
      order.requestedBy,
      order.export?.format ?? null,
      order.export?.folder ?? null,
    ],
  );
  const runs = rows.map(toRun);
  for (const run of runs) {
    await recordAudit(tx, {
      principal: order.requestedBy,
      action: 'crowd.run',
      subjectKind: 'run',
      subjectKey: String(run.runId),
      before: null,
      after: {
        crowdCode: run.crowdCode,
        ruleVersion: run.ruleVersion,
        dt: run.dt,
        origin: run.origin,
        cause: run.cause,
      },
    });
  }
  return runs;
}

/** The run, locked until the transaction ends. */
async function lockRun(tx: Queryable, runId: number): Promise<CrowdRun> {
  const [row] = await tx.query<RunRow>(`SELECT ${COLUMNS} FROM crowd_runs WHERE run_id = $1 FOR UPDATE`, [
    runId,
  ]);
  if (row === undefined) throw new QuanrenError('not_found', `There is no run ${runId}.`);
  return toRun(row);
}

async function beginRun(tx: Queryable, runId: number, options: BeginOptions): Promise<CrowdRun> {
  const run = await lockRun(tx, runId);
  if (run.finishedAt !== null)
    throw new QuanrenError('conflict', `Run ${runId} has ended: it is ${run.status}.`);
  const renew = run.changeTimeMs === null || run.changeTimeMs < options.renewBeforeMs;
  const [row] = await tx.query<RunRow>(
    `UPDATE crowd_runs SET
       status = 'running',
       started_at = coalesce(started_at, CURRENT_TIMESTAMP),
       error = NULL,
       change_time_ms = CASE WHEN $2 THEN greatest($3::bigint, (
         SELECT max(other.change_time_ms) + 1 FROM crowd_runs other WHERE other.crowd_code = $4
       )) ELSE change_time_ms END,
       updates_store = coalesce(updates_store, NOT EXISTS (
         SELECT FROM crowd_runs other
         WHERE other.crowd_code = $4 AND other.status = 'committed' AND other.updates_store AND other.dt IS NOT NULL
           AND (other.origin IS DISTINCT FROM 'synthetic', other.dt) > ($6, $5)
           AND NOT EXISTS (
             SELECT FROM crowd_runs deletion
             WHERE deletion.crowd_code = $4 AND deletion.cause = 'deletion' AND deletion.run_id > other.run_id
           )
       ))
     WHERE run_id = $1 RETURNING ${COLUMNS}`,
    [runId, renew, options.nowMs, run.crowdCode, run.dt, run.origin !== 'synthetic'],
  );
  return toRun(one(row === undefined ? [] : [row]));
}

async function commitRun(
  tx: Queryable,
  runId: number,
  counts: RunCounts,
  exportError: string | null,
): Promise<CrowdRun> {
  const run = await lockRun(tx, runId);
  if (run.status === 'committed') return run;
  if (run.status !== 'running') {
    throw new QuanrenError('conflict', `Run ${runId} is ${run.status}: only a running one can be committed.`);
  }
  const row = one(
    await tx.query<RunRow>(
      `UPDATE crowd_runs SET status = 'committed', finished_at = CURRENT_TIMESTAMP,
         entered_count = $2, left_count = $3, total_count = $4, steps_done = NULL, steps_total = NULL, error = $5
       WHERE run_id = $1 RETURNING ${COLUMNS}`,
      [runId, counts.entered, counts.left, counts.total, exportError],
    ),
  );
  if (run.updatesStore) {
    await tx.query(
      'UPDATE crowd_rules SET user_count = $2, last_calc_dt = $3, last_calc_origin = $4 WHERE crowd_code = $1',
      [run.crowdCode, counts.total, run.dt, run.origin],
    );
  }
  return toRun(row);
}
