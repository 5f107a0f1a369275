import { type Static, Type } from 'typebox';
import type { TagDefinition, TagRecord } from '../../../catalog/types.js';
import { body, Code, Instant, nullable, optionalText, text } from '../../http/schemas.js';

const TagType = Type.Union([
  Type.Literal('enum'),
  Type.Literal('numeric'),
  Type.Literal('boolean'),
  Type.Literal('datetime'),
]);
const Calculation = Type.Union([Type.Literal('offline'), Type.Literal('realtime')]);

export const TagParams = Type.Object({ tagCode: Code });

export const TagFilter = {
  tagType: Type.Optional(TagType),
  calculationType: Type.Optional(Calculation),
};

export const TagBody = body({
  tagName: text(100, 1),
  tagType: TagType,
  bizKeyField: Type.Optional(text(50, 1)),
  sourceTable: optionalText(200),
  sourceField: optionalText(100),
  sourceType: optionalText(50),
  valueFormat: optionalText(30),
  calculationType: Type.Optional(Calculation),
  updateFreq: optionalText(20),
  description: optionalText(10_000),
  owner: optionalText(100),
});

export const TagView = Type.Object({
  tagCode: Code,
  tagName: Type.String(),
  tagType: TagType,
  bizKeyField: Type.String(),
  sourceTable: nullable(Type.String()),
  sourceField: nullable(Type.String()),
  sourceType: nullable(Type.String({ description: 'The column’s SQL type; null is text.' })),
  valueFormat: nullable(Type.String()),
  calculationType: Calculation,
  updateFreq: nullable(Type.String()),
  description: nullable(Type.String()),
  owner: nullable(Type.String()),
  version: Type.Integer(),
  createTime: Instant,
  updatedAt: Instant,
});

/** What is left out is null, the key is `uid`, and the tag is calculated offline. */
export function toTagDefinition(tagCode: string, given: Static<typeof TagBody>): TagDefinition {
  return {
    tagCode,
    tagName: given.tagName,
    tagType: given.tagType,
    bizKeyField: given.bizKeyField ?? 'uid',
    sourceTable: given.sourceTable ?? null,
    sourceField: given.sourceField ?? null,
    sourceType: given.sourceType ?? null,
    valueFormat: given.valueFormat ?? null,
    calculationType: given.calculationType ?? 'offline',
    updateFreq: given.updateFreq ?? null,
    description: given.description ?? null,
    owner: given.owner ?? null,
  };
}

export function toTagView(tag: TagRecord): Static<typeof TagView> {
  return { ...tag, createTime: tag.createTime.toISOString(), updatedAt: tag.updatedAt.toISOString() };
}
