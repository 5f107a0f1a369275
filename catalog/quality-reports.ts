/** What checks of the warehouse's data found; written with the end of the load that they are of. */
import type { Database, Queryable } from './database.js';
import { toPage } from './paging.js';
import type { Page, PageRequest, QualityReport, QualityResult } from './types.js';

export interface QualityReportRepository {
  /** Newest first. */
  list(
    page: PageRequest,
    filter?: { readonly tableName?: string | undefined; readonly dt?: string | undefined },
  ): Promise<Page<QualityReport>>;
}

interface QualityRow {
  readonly report_id: number;
  readonly dt: string;
  readonly table_name: string;
  readonly column_name: string | null;
  readonly check_name: string;
  readonly check_kind: QualityResult['checkKind'];
  readonly status: QualityResult['status'];
  readonly observed: string;
  readonly lower_bound: string | null;
  readonly upper_bound: string | null;
  readonly rows_checked: number;
  readonly rows_failed: number;
  readonly detail: string | null;
  readonly created_at: Date;
}

export async function insertQualityResults(tx: Queryable, results: readonly QualityResult[]): Promise<void> {
  for (const result of results) {
    await tx.query(
      `INSERT INTO data_quality_report (dt, table_name, column_name, check_name, check_kind, status, observed,
         lower_bound, upper_bound, rows_checked, rows_failed, detail)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
      [
        result.dt,
        result.tableName,
        result.columnName,
        result.checkName,
        result.checkKind,
        result.status,
        result.observed,
        result.lowerBound,
        result.upperBound,
        result.rowsChecked,
        result.rowsFailed,
        result.detail,
      ],
    );
  }
}

export function createQualityReportRepository(database: Database): QualityReportRepository {
  return {
    async list(page, filter = {}) {
      const rows = await database.query<QualityRow>(
        `SELECT report_id, dt, table_name, column_name, check_name, check_kind, status, observed, lower_bound,
           upper_bound, rows_checked, rows_failed, detail, created_at
         FROM data_quality_report
         WHERE ($1::bigint IS NULL OR report_id < $1)
           AND ($2::text IS NULL OR table_name = $2)
           AND ($3::date IS NULL OR dt = $3)
         ORDER BY report_id DESC LIMIT $4`,
        [page.after, filter.tableName ?? null, filter.dt ?? null, page.limit + 1],
      );
      const reports = rows.map((row) => ({
        reportId: row.report_id,
        dt: row.dt,
        tableName: row.table_name,
        columnName: row.column_name,
        checkName: row.check_name,
        checkKind: row.check_kind,
        status: row.status,
        observed: row.observed,
        lowerBound: row.lower_bound,
        upperBound: row.upper_bound,
        rowsChecked: row.rows_checked,
        rowsFailed: row.rows_failed,
        detail: row.detail,
        createdAt: row.created_at,
      }));
      return toPage(reports, page.limit, (report) => String(report.reportId));
    },
  };
}
