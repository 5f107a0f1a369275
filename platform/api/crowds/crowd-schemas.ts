import { type Static, Type } from 'typebox';
import type { Crowd, CrowdDefinition, CrowdVersion } from '../../../catalog/types.js';
import { RawJson, textOfMember } from '../../http/json.js';
import {
  body,
  Code,
  Dt,
  Id,
  Instant,
  nullable,
  Origin,
  optionalText,
  Rule,
  text,
} from '../../http/schemas.js';

export const Status = Type.Union([Type.Literal('active'), Type.Literal('paused')]);

export const CrowdParams = Type.Object({ crowdCode: Code });
export const VersionParams = Type.Object({ crowdCode: Code, version: Id });

const Reason = Type.Optional(text(1_000));

export const CrowdBody = body({
  crowdName: text(100, 1),
  rule: Rule,
  description: optionalText(10_000),
  owner: optionalText(100),
  scheduleCron: optionalText(50),
  reason: Reason,
});

export const RollBackBody = body({ version: Id, reason: Reason });

const definitionView = {
  crowdCode: Code,
  crowdName: Type.String(),
  description: nullable(Type.String()),
  owner: nullable(Type.String()),
  rule: Rule,
  scheduleCron: nullable(Type.String()),
  version: Type.Integer({ description: 'Of the definition; also the ETag.' }),
};

export const CrowdView = Type.Object({
  ...definitionView,
  status: Status,
  lastCalcDt: nullable(Dt),
  lastCalcOrigin: nullable(Origin),
  userCount: Type.Integer(),
  createTime: Instant,
  updatedAt: Instant,
});

export const VersionView = Type.Object({
  ...definitionView,
  ruleHash: Type.String({ description: 'sha-256 of the rule’s canonical text, in hex.' }),
  author: Type.String(),
  reason: nullable(Type.String()),
  restoredVersion: nullable(Type.Integer()),
  createdAt: Instant,
});

export const DiffView = Type.Object({
  crowdCode: Code,
  from: Type.Integer(),
  to: Type.Integer(),
  fields: Type.Array(
    Type.Object({ field: Type.String(), from: nullable(Type.String()), to: nullable(Type.String()) }),
    { description: 'What differs beside the rule.' },
  ),
  rule: Type.Array(
    Type.Object({
      change: Type.Union([Type.Literal('added'), Type.Literal('removed'), Type.Literal('changed')]),
      pointer: Type.String({ description: 'In the rule of `to`; for what was removed, of `from`.' }),
      from: nullable(Rule),
      to: nullable(Rule),
    }),
    { description: 'Empty where the rules differ at most in how they are written.' },
  ),
});

export function toCrowdDefinition(given: Static<typeof CrowdBody>, bodyText: string): CrowdDefinition {
  return {
    crowdName: given.crowdName,
    description: given.description ?? null,
    owner: given.owner ?? null,
    ruleJson: textOfMember(bodyText, 'rule'),
    scheduleCron: given.scheduleCron ?? null,
  };
}

export function toCrowdView({ ruleJson, ...crowd }: Crowd): Static<typeof CrowdView> {
  const [createTime, updatedAt] = [crowd.createTime.toISOString(), crowd.updatedAt.toISOString()];
  return { ...crowd, rule: new RawJson(ruleJson), createTime, updatedAt };
}

export function toVersionView({ ruleJson, ...version }: CrowdVersion): Static<typeof VersionView> {
  return { ...version, rule: new RawJson(ruleJson), createdAt: version.createdAt.toISOString() };
}
