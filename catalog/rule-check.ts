/** The catalog's rules held against the rule language. */
import { createHash } from 'node:crypto';
import { QuanrenError } from '../errors/quanren-error.js';
import {
  type CheckedRule,
  canonicalText,
  createTag,
  type Diagnostic,
  type ParsedNode,
  parseRule,
  RuleChecker,
  type RuleEnvironment,
  type Tag,
} from '../rules/index.js';
import type { Queryable } from './database.js';

/** Every tag and every crowd's current rule. */
export async function loadRuleEnvironment(on: Queryable, zone: string): Promise<RuleEnvironment> {
  const tagRows = await on.query<{
    tag_code: string;
    tag_type: string;
    source_field: string | null;
    source_type: string | null;
    value_format: string | null;
    source_table: string | null;
    calculation_type: string;
  }>(
    `SELECT tag_code, tag_type, source_field, source_type, value_format, source_table, calculation_type
     FROM tag_metadata`,
  );
  const tags = new Map<string, Tag>();
  for (const row of tagRows) {
    const tag = createTag(row);
    if (tag.ok) tags.set(row.tag_code, tag.value);
  }
  const crowdRows = await on.query<{ crowd_code: string; rule_json: string }>(
    'SELECT crowd_code, rule_json FROM crowd_rules',
  );
  return { tags, crowds: new Map(crowdRows.map((row) => [row.crowd_code, row.rule_json])), zone };
}

/** What a rule reads, without repeats; nothing where its text cannot be read as a rule. */
export function findUses(ruleJson: string): { tagCodes: string[]; crowdCodes: string[] } {
  const tagCodes = new Set<string>();
  const crowdCodes = new Set<string>();
  const visit = (node: ParsedNode): void => {
    switch (node.kind) {
      case 'and':
      case 'or':
        node.children.forEach(visit);
        return;
      case 'not':
        visit(node.child);
        return;
      case 'tag':
        tagCodes.add(node.tagCode);
        return;
      case 'crowd':
        crowdCodes.add(node.crowdCode);
        return;
    }
  };
  const parsed = parseRule(ruleJson);
  if (parsed.ok) visit(parsed.value);
  return { tagCodes: [...tagCodes], crowdCodes: [...crowdCodes] };
}

/** Throws `invalid_rule` with all diagnostics. */
export function requireValid(checked: ReturnType<RuleChecker['checkRule']>): CheckedRule {
  if (checked.ok) return checked.value;
  throw new QuanrenError('invalid_rule', `The rule has ${count(checked.diagnostics)}.`, {
    extra: { diagnostics: checked.diagnostics },
  });
}

function count(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.length === 1 ? 'an error' : `${diagnostics.length} errors`;
}

/**
 * Checks a crowd's rule as it now stands in the transaction, and the rules that refer to it, however far. Throws
 * `invalid_rule` for its own errors and `conflict` for those that it would bring to others.
 */
export async function checkRuleOfCrowd(tx: Queryable, zone: string, crowdCode: string): Promise<CheckedRule> {
  const checker = new RuleChecker(await loadRuleEnvironment(tx, zone));
  const rule = requireValid(checker.checkCrowd(crowdCode));
  const users = await findUsers(tx, [crowdCode]);
  refuseBroken(
    checker,
    users.filter((code) => code !== crowdCode),
    `the crowd ${crowdCode}`,
  );
  return rule;
}

/** Checks every rule that reads a tag, itself or through other crowds. Throws `conflict` with those that break. */
export async function checkRulesOfTag(tx: Queryable, zone: string, tagCode: string): Promise<void> {
  const rows = await tx.query<{ crowd_code: string }>(
    'SELECT crowd_code FROM crowd_uses_tag WHERE tag_code = $1',
    [tagCode],
  );
  if (rows.length === 0) return;
  const checker = new RuleChecker(await loadRuleEnvironment(tx, zone));
  const users = await findUsers(
    tx,
    rows.map((row) => row.crowd_code),
  );
  refuseBroken(checker, users, `the tag ${tagCode}`);
}

/** The given crowds and those whose rules refer to them, however far; by code. */
async function findUsers(tx: Queryable, crowdCodes: readonly string[]): Promise<string[]> {
  const rows = await tx.query<{ code: string }>(
    `WITH RECURSIVE users (code) AS (
       SELECT unnest($1::text[])
       UNION SELECT uses.crowd_code FROM crowd_uses_crowd uses JOIN users ON uses.used_crowd_code = users.code
     ) SELECT code FROM users ORDER BY code`,
    [crowdCodes],
  );
  return rows.map((row) => row.code);
}

function refuseBroken(checker: RuleChecker, crowdCodes: readonly string[], what: string): void {
  const broken = crowdCodes.flatMap((crowdCode) => {
    const checked = checker.checkCrowd(crowdCode);
    return checked.ok ? [] : [{ crowdCode, diagnostics: checked.diagnostics }];
  });
  if (broken.length === 0) return;
  const codes = broken.map(({ crowdCode }) => crowdCode).join(', ');
  throw new QuanrenError('conflict', `This change of ${what} would break the rules of ${codes}.`, {
    extra: { broken },
  });
}

/** sha-256, in hex, of a valid rule's canonical text. */
export function hashRule(ruleJson: string): string {
  const parsed = parseRule(ruleJson);
  if (!parsed.ok) throw new Error('only a valid rule has a hash');
  return createHash('sha256').update(canonicalText(parsed.value)).digest('hex');
}
