import type { Static } from 'typebox';
import type { CrowdVersion } from '../../../catalog/types.js';
import { type ParsedNode, parseRule } from '../../../rules/index.js';
import { RawJson } from '../../http/json.js';
import type { DiffView } from './crowd-schemas.js';
import { diffRules } from './rule-diff.js';

const FIELDS = ['crowdName', 'description', 'owner', 'scheduleCron'] as const;

export function diffVersions(from: CrowdVersion, to: CrowdVersion): Static<typeof DiffView> {
  const toJson = (text: string | null) => (text === null ? null : new RawJson(text));
  return {
    crowdCode: to.crowdCode,
    from: from.version,
    to: to.version,
    fields: FIELDS.filter((field) => from[field] !== to[field]).map((field) => ({
      field,
      from: from[field],
      to: to[field],
    })),
    rule: diffRules(parseStored(from), parseStored(to)).map((change) => ({
      ...change,
      from: toJson(change.from),
      to: toJson(change.to),
    })),
  };
}

function parseStored({ crowdCode, version, ruleJson }: CrowdVersion): ParsedNode {
  const parsed = parseRule(ruleJson);
  if (!parsed.ok) throw new Error(`version ${version} of ${crowdCode} is not a rule`);
  return parsed.value;
}
