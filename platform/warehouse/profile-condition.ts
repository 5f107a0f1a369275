/** A rule as an SQL condition over the wide table. */
import type { CheckedRule } from '../../rules/ast.js';
import { formatDiagnostic } from '../../rules/diagnostics.js';
import { compileToSql, duckdb } from '../../rules/sql/index.js';
import { dayOfBusinessDate } from './business-date.js';
import { findUnreadableTags, type ProfileColumns } from './tag-columns.js';

export type ProfileCondition =
  | { readonly ok: true; readonly condition: string }
  /** Sentences. */
  | { readonly ok: false; readonly reason: string };

/**
 * The condition that holds for the rule's members on a business date, whose partition has these columns; refused where
 * a tag cannot be read from them.
 */
export function printProfileCondition(
  rule: CheckedRule,
  columns: ProfileColumns,
  { zone, dt }: { readonly zone: string; readonly dt: string },
): ProfileCondition {
  const unreadable = findUnreadableTags(rule, columns);
  if (unreadable.length > 0) return { ok: false, reason: unreadable.join(' ') };
  const anchor = { kind: 'dt', day: dayOfBusinessDate(dt) } as const;
  const compiled = compileToSql(rule, { zone, anchor }, duckdb);
  return compiled.ok
    ? { ok: true, condition: compiled.value }
    : { ok: false, reason: compiled.diagnostics.map(formatDiagnostic).join('; ') };
}
