/** Rules as they are generated and shrunk: their JSON, with scalars as JSON text so that no digit is lost. */
import type { TagOperator } from '../../rules/index.js';

export type GeneratedRule = GeneratedGroup | GeneratedCondition | GeneratedCrowd;

export interface GeneratedGroup {
  readonly logic: 'AND' | 'OR' | 'NOT';
  readonly conditions: readonly GeneratedRule[];
}

export interface GeneratedCondition {
  readonly tagCode: string;
  readonly op: TagOperator;
  /** JSON texts: none, one, or a list (of [NOT] IN and [NOT] BETWEEN). */
  readonly values: readonly string[];
}

export interface GeneratedCrowd {
  readonly crowdCode: string;
  readonly negated: boolean;
}

const LISTS: readonly TagOperator[] = ['IN', 'NOT IN', 'BETWEEN', 'NOT BETWEEN'];

/** The rule's JSON. */
export function formatRule(rule: GeneratedRule): string {
  if ('logic' in rule) {
    return `{"logic":"${rule.logic}","conditions":[${rule.conditions.map(formatRule).join(',')}]}`;
  }
  if ('crowdCode' in rule) {
    return `{"crowd_code":"${rule.crowdCode}","op":"${rule.negated ? 'NOT IN CROWD' : 'IN CROWD'}"}`;
  }
  const { tagCode, op, values } = rule;
  const value = LISTS.includes(op) ? `[${values.join(',')}]` : values[0];
  return `{"tag_code":"${tagCode}","op":"${op}"${value === undefined ? '' : `,"value":${value}`}}`;
}
