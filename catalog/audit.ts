/** Who did what, before and after: written in the transaction of the change itself, never altered. */
import type { Queryable } from './database.js';
import { toPage } from './paging.js';
import type { AuditEntry, Page, PageRequest } from './types.js';

export type AuditRecord = Omit<AuditEntry, 'auditId' | 'at'>;

export async function recordAudit(tx: Queryable, record: AuditRecord): Promise<void> {
  const { principal, action, subjectKind, subjectKey, before, after } = record;
  await tx.query(
    `INSERT INTO audit (principal, action, subject_kind, subject_key, before, after)
     VALUES ($1, $2, $3, $4, $5, $6)`,
    [principal, action, subjectKind, subjectKey, toJson(before), toJson(after)],
  );
}

/** pg would send an object as JSON by itself, but null must be SQL's. */
function toJson(value: AuditRecord['before']): string | null {
  return value === null ? null : JSON.stringify(value);
}

export interface AuditFilter {
  readonly subjectKind?: AuditEntry['subjectKind'];
  readonly subjectKey?: string;
  readonly principal?: string;
}

export interface AuditRepository {
  /** Newest first. */
  list(page: PageRequest, filter?: AuditFilter): Promise<Page<AuditEntry>>;
}

interface AuditRow {
  readonly audit_id: number;
  readonly at: Date;
  readonly principal: string;
  readonly action: string;
  readonly subject_kind: AuditEntry['subjectKind'];
  readonly subject_key: string;
  readonly before: AuditEntry['before'];
  readonly after: AuditEntry['after'];
}

export function createAuditRepository(database: Queryable): AuditRepository {
  return {
    async list(page, filter = {}) {
      const rows = await database.query<AuditRow>(
        `SELECT audit_id, at, principal, action, subject_kind, subject_key, before, after FROM audit
         WHERE ($1::bigint IS NULL OR audit_id < $1)
           AND ($2::text IS NULL OR subject_kind = $2)
           AND ($3::text IS NULL OR subject_key = $3)
           AND ($4::text IS NULL OR principal = $4)
         ORDER BY audit_id DESC LIMIT $5`,
        [
          page.after,
          filter.subjectKind ?? null,
          filter.subjectKey ?? null,
          filter.principal ?? null,
          page.limit + 1,
        ],
      );
      const entries = rows.map((row) => ({
        auditId: row.audit_id,
        at: row.at,
        principal: row.principal,
        action: row.action,
        subjectKind: row.subject_kind,
        subjectKey: row.subject_key,
        before: row.before,
        after: row.after,
      }));
      return toPage(entries, page.limit, (entry) => String(entry.auditId));
    },
  };
}
