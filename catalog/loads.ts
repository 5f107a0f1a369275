/** Loads into the warehouse. States: queued → running → done | failed; one found running after a crash runs again. */
import { QuanrenError } from '../errors/quanren-error.js';
import { recordAudit } from './audit.js';
import { type Database, one } from './database.js';
import { toPage } from './paging.js';
import { insertQualityResults } from './quality-reports.js';
import type { Load, LoadKind, Page, PageRequest, QualityResult } from './types.js';

export interface LoadOrder {
  readonly kind: LoadKind;
  /** Plain JSON values. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly requestedBy: string;
  /** Refused with `overloaded` where more than this would be unfinished. */
  readonly maxUnfinished: number;
}

export interface LoadRepository {
  request(order: LoadOrder): Promise<Load>;
  /** Throws `not_found`. */
  get(loadId: number): Promise<Load>;
  /** Newest first. */
  list(page: PageRequest): Promise<Page<Load>>;
  /** In the order they were asked for. */
  unfinished(): Promise<Load[]>;
  begin(loadId: number): Promise<void>;
  /** With what was measured of its data: once, however often it is repeated. */
  finish(
    loadId: number,
    result: Readonly<Record<string, unknown>>,
    quality: readonly QualityResult[],
  ): Promise<void>;
  /** `error` is a sentence for people. */
  fail(loadId: number, error: string): Promise<void>;
}

interface LoadRow {
  readonly load_id: number;
  readonly kind: LoadKind;
  readonly request: Load['request'];
  readonly status: Load['status'];
  readonly requested_by: string;
  readonly requested_at: Date;
  readonly started_at: Date | null;
  readonly finished_at: Date | null;
  readonly result: Load['result'];
  readonly error: string | null;
}

const COLUMNS =
  'load_id, kind, request, status, requested_by, requested_at, started_at, finished_at, result, error';

function toLoad(row: LoadRow): Load {
  return {
    loadId: row.load_id,
    kind: row.kind,
    request: row.request,
    status: row.status,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    result: row.result,
    error: row.error,
  };
}

export function createLoadRepository(database: Database): LoadRepository {
  return {
    request: (order) =>
      database.change(async (tx) => {
        const { count } = one(
          await tx.query<{ count: number }>(
            "SELECT count(*) AS count FROM loads WHERE status IN ('queued', 'running')",
          ),
        );
        if (count >= order.maxUnfinished) {
          throw new QuanrenError(
            'overloaded',
            `${count} loads are unfinished. Ask again when one has ended.`,
          );
        }
        const row = one(
          await tx.query<LoadRow>(
            `INSERT INTO loads (kind, request, requested_by) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`,
            [order.kind, JSON.stringify(order.request), order.requestedBy],
          ),
        );
        await recordAudit(tx, {
          principal: order.requestedBy,
          action: `load.${order.kind}`,
          subjectKind: 'load',
          subjectKey: String(row.load_id),
          before: null,
          after: order.request,
        });
        return toLoad(row);
      }),

    async get(loadId) {
      const [row] = await database.query<LoadRow>(`SELECT ${COLUMNS} FROM loads WHERE load_id = $1`, [
        loadId,
      ]);
      if (row === undefined) throw new QuanrenError('not_found', `There is no load ${loadId}.`);
      return toLoad(row);
    },

    async list(page) {
      const rows = await database.query<LoadRow>(
        `SELECT ${COLUMNS} FROM loads WHERE ($1::bigint IS NULL OR load_id < $1) ORDER BY load_id DESC LIMIT $2`,
        [page.after, page.limit + 1],
      );
      return toPage(rows.map(toLoad), page.limit, (load) => String(load.loadId));
    },

    async unfinished() {
      const rows = await database.query<LoadRow>(
        `SELECT ${COLUMNS} FROM loads WHERE status IN ('queued', 'running') ORDER BY load_id`,
      );
      return rows.map(toLoad);
    },

    async begin(loadId) {
      await database.query(
        `UPDATE loads SET status = 'running', started_at = coalesce(started_at, CURRENT_TIMESTAMP)
         WHERE load_id = $1 AND status IN ('queued', 'running')`,
        [loadId],
      );
    },

    finish: (loadId, result, quality) =>
      database.transaction(async (tx) => {
        const finished = await tx.query(
          `UPDATE loads SET status = 'done', result = $2, finished_at = CURRENT_TIMESTAMP
           WHERE load_id = $1 AND status = 'running' RETURNING load_id`,
          [loadId, JSON.stringify(result)],
        );
        if (finished.length > 0) await insertQualityResults(tx, quality);
      }),

    async fail(loadId, error) {
      await database.query(
        `UPDATE loads SET status = 'failed', error = $2, finished_at = CURRENT_TIMESTAMP
         WHERE load_id = $1 AND status IN ('queued', 'running')`,
        [loadId, error],
      );
    },
  };
}
