/** A rule as an SQL condition over the wide table. */
import type { CheckedRule, RuleNode } from '../../rules/ast.js';
import { formatDiagnostic } from '../../rules/diagnostics.js';
import { compileToSql, duckdb } from '../../rules/sql/index.js';
import type { Tag } from '../../rules/tag.js';
import { dayOfBusinessDate } from './business-date.js';
import { PROFILE_COLUMNS } from './user-profiles.js';

export type ProfileCondition =
  | { readonly ok: true; readonly condition: string }
  /** A sentence. */
  | { readonly ok: false; readonly reason: string };

function* tagsOf(node: RuleNode): Generator<Tag> {
  if (node.kind === 'tag') yield node.tag;
  else if (node.kind === 'not') yield* tagsOf(node.child);
  else if (node.kind !== 'crowd') for (const child of node.children) yield* tagsOf(child);
}

/** The condition that holds for the rule's members on a business date; refused where the table lacks a tag's column. */
export function printProfileCondition(rule: CheckedRule, zone: string, dt: string): ProfileCondition {
  const missing = new Set<string>();
  for (const node of [rule.root, ...rule.crowds.values()]) {
    for (const { code, sourceField } of tagsOf(node))
      if (!Object.hasOwn(PROFILE_COLUMNS, sourceField)) missing.add(`${sourceField} (tag ${code})`);
  }
  if (missing.size > 0) {
    return { ok: false, reason: `The wide table does not have the columns ${[...missing].join(', ')}.` };
  }
  const anchor = { kind: 'dt', day: dayOfBusinessDate(dt) } as const;
  const compiled = compileToSql(rule, { zone, anchor }, duckdb);
  return compiled.ok
    ? { ok: true, condition: compiled.value }
    : { ok: false, reason: compiled.diagnostics.map(formatDiagnostic).join('; ') };
}
