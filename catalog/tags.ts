/** Tags: what may be said of a user. A tag that a rule reads can change only so far as every such rule stays right. */
import { QuanrenError } from '../errors/quanren-error.js';
import { createTag, type Tag } from '../rules/index.js';
import { recordAudit } from './audit.js';
import { type Database, one, type Queryable } from './database.js';
import { toPage } from './paging.js';
import { checkRulesOfTag } from './rule-check.js';
import type { Page, PageRequest, TagDefinition, TagRecord } from './types.js';

export interface TagChange {
  readonly principal: string;
  /** The version that is to be changed, `absent` where there must be none yet, `any` where it does not matter. */
  readonly expected: number | 'absent' | 'any';
}

export interface TagRepository {
  /** By code; `calculationType` and `tagType` narrow it. */
  list(
    page: PageRequest,
    filter?: { readonly tagType?: string | undefined; readonly calculationType?: string | undefined },
  ): Promise<Page<TagRecord>>;
  /** Throws `not_found`. */
  get(tagCode: string): Promise<TagRecord>;
  /**
   * Creates or replaces; what is already so stays as it is, version and all. Throws `invalid_tag`,
   * `precondition_failed`, and `conflict` with the rules that the change would break.
   */
  save(definition: TagDefinition, change: TagChange): Promise<{ tag: TagRecord; isNew: boolean }>;
  /** Throws `not_found`, `precondition_failed`, and `conflict` with the crowds whose rules read it. */
  delete(tagCode: string, change: TagChange): Promise<void>;
}

interface TagRow {
  readonly tag_code: string;
  readonly tag_name: string;
  readonly tag_type: TagRecord['tagType'];
  readonly biz_key_field: string;
  readonly source_table: string | null;
  readonly source_field: string | null;
  readonly source_type: string | null;
  readonly value_format: string | null;
  readonly calculation_type: TagRecord['calculationType'];
  readonly update_freq: string | null;
  readonly description: string | null;
  readonly owner: string | null;
  readonly version: number;
  readonly create_time: Date;
  readonly updated_at: Date;
}

const COLUMNS = `tag_code, tag_name, tag_type, biz_key_field, source_table, source_field, source_type, value_format,
  calculation_type, update_freq, description, owner, version,
  create_time::timestamptz AS create_time, updated_at`;

function toTagRecord(row: TagRow): TagRecord {
  return {
    tagCode: row.tag_code,
    tagName: row.tag_name,
    tagType: row.tag_type,
    bizKeyField: row.biz_key_field,
    sourceTable: row.source_table,
    sourceField: row.source_field,
    sourceType: row.source_type,
    valueFormat: row.value_format,
    calculationType: row.calculation_type,
    updateFreq: row.update_freq,
    description: row.description,
    owner: row.owner,
    version: row.version,
    createTime: row.create_time,
    updatedAt: row.updated_at,
  };
}

export function createTagRepository(database: Database, zone: string): TagRepository {
  return {
    async list(page, filter = {}) {
      const rows = await database.query<TagRow>(
        `SELECT ${COLUMNS} FROM tag_metadata
         WHERE ($1::text IS NULL OR tag_code > $1)
           AND ($2::text IS NULL OR tag_type = $2)
           AND ($3::text IS NULL OR calculation_type = $3)
         ORDER BY tag_code LIMIT $4`,
        [page.after, filter.tagType ?? null, filter.calculationType ?? null, page.limit + 1],
      );
      return toPage(rows.map(toTagRecord), page.limit, (tag) => tag.tagCode);
    },

    async get(tagCode) {
      return present(await find(database, tagCode), tagCode);
    },

    save: (definition, change) => database.change((tx) => saveTag(tx, zone, definition, change)),

    delete: (tagCode, change) =>
      database.change(async (tx) => {
        const before = present(await find(tx, tagCode), tagCode);
        expect(before, tagCode, change);
        const users = await tx.query<{ crowd_code: string }>(
          'SELECT crowd_code FROM crowd_uses_tag WHERE tag_code = $1 ORDER BY crowd_code',
          [tagCode],
        );
        if (users.length > 0) {
          const crowdCodes = users.map(({ crowd_code }) => crowd_code);
          throw new QuanrenError(
            'conflict',
            `The tag ${tagCode} is read by the rules of ${crowdCodes.join(', ')}. Change those first.`,
            { extra: { usedBy: crowdCodes.map((crowdCode) => ({ kind: 'crowd', code: crowdCode })) } },
          );
        }
        await tx.query('DELETE FROM tag_metadata WHERE tag_code = $1', [tagCode]);
        await audit(tx, 'tag.delete', change.principal, before, null);
      }),
  };
}

async function find(on: Queryable, tagCode: string): Promise<TagRecord | undefined> {
  const [row] = await on.query<TagRow>(`SELECT ${COLUMNS} FROM tag_metadata WHERE tag_code = $1`, [tagCode]);
  return row === undefined ? undefined : toTagRecord(row);
}

function present(tag: TagRecord | undefined, tagCode: string): TagRecord {
  if (tag === undefined) throw new QuanrenError('not_found', `There is no tag '${tagCode}'.`);
  return tag;
}

function expect(before: TagRecord | undefined, tagCode: string, { expected }: TagChange): void {
  const version = before?.version ?? 'absent';
  if (expected === 'any' || expected === version) return;
  const now = before === undefined ? 'does not exist' : `has version ${version}`;
  const wanted = expected === 'absent' ? 'that it does not exist' : `version ${expected}`;
  throw new QuanrenError(
    'precondition_failed',
    `The tag ${tagCode} ${now}, and the request expects ${wanted}.`,
    before === undefined ? {} : { extra: { currentVersion: before.version } },
  );
}

/** The tag as the rule language knows it. Throws `invalid_tag` with all diagnostics. */
export function requireValidTag(definition: TagDefinition): Tag {
  const checked = createTag({
    tag_code: definition.tagCode,
    tag_type: definition.tagType,
    source_field: definition.sourceField,
    source_type: definition.sourceType,
    value_format: definition.valueFormat,
    source_table: definition.sourceTable,
    calculation_type: definition.calculationType,
  });
  if (checked.ok) return checked.value;
  const diagnostics = checked.diagnostics.map((each) => ({ ...each, pointer: toCamelCase(each.pointer) }));
  const count = diagnostics.length === 1 ? 'an error' : `${diagnostics.length} errors`;
  throw new QuanrenError('invalid_tag', `The tag has ${count}.`, { extra: { diagnostics } });
}

async function saveTag(
  tx: Queryable,
  zone: string,
  definition: TagDefinition,
  change: TagChange,
): Promise<{ tag: TagRecord; isNew: boolean }> {
  requireValidTag(definition);
  const before = await find(tx, definition.tagCode);
  expect(before, definition.tagCode, change);
  if (before !== undefined && isSame(before, definition)) return { tag: before, isNew: false };
  const row = one(
    await tx.query<TagRow>(
      `INSERT INTO tag_metadata (tag_code, tag_name, tag_type, biz_key_field, source_table, source_field, source_type,
         value_format, calculation_type, update_freq, description, owner)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
       ON CONFLICT (tag_code) DO UPDATE SET
         tag_name = $2, tag_type = $3, biz_key_field = $4, source_table = $5, source_field = $6, source_type = $7,
         value_format = $8, calculation_type = $9, update_freq = $10, description = $11, owner = $12,
         version = tag_metadata.version + 1, updated_at = CURRENT_TIMESTAMP
       RETURNING ${COLUMNS}`,
      [
        definition.tagCode,
        definition.tagName,
        definition.tagType,
        definition.bizKeyField,
        definition.sourceTable,
        definition.sourceField,
        definition.sourceType,
        definition.valueFormat,
        definition.calculationType,
        definition.updateFreq,
        definition.description,
        definition.owner,
      ],
    ),
  );
  const tag = toTagRecord(row);
  if (before !== undefined) await checkRulesOfTag(tx, zone, tag.tagCode);
  await audit(tx, 'tag.save', change.principal, before ?? null, tag);
  return { tag, isNew: before === undefined };
}

function toCamelCase(pointer: string): string {
  return pointer.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function isSame(record: TagRecord, definition: TagDefinition): boolean {
  return (Object.keys(definition) as (keyof TagDefinition)[]).every((key) => record[key] === definition[key]);
}

async function audit(
  tx: Queryable,
  action: string,
  principal: string,
  before: TagRecord | null,
  after: TagRecord | null,
): Promise<void> {
  const subjectKey = (after ?? before)?.tagCode ?? '';
  await recordAudit(tx, {
    principal,
    action,
    subjectKind: 'tag',
    subjectKey,
    before: before && { ...before },
    after: after && { ...after },
  });
}
