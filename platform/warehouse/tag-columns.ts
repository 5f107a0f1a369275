/** Can a tag be read from the wide table? Its declaration held against the columns that a partition really has. */
import type { CheckedRule, RuleNode } from '../../rules/ast.js';
import { type ColumnType, parseColumnType, type Tag } from '../../rules/index.js';
import type { DuckSession } from './duck.js';
import { PROFILE_TABLE_NAME } from './user-profiles.js';

/** column → its SQL type in DuckDB, for example `DECIMAL(10,2)` */
export type ProfileColumns = ReadonlyMap<string, string>;

/** Of a partition's file. */
export async function readProfileColumns(session: DuckSession, file: string): Promise<ProfileColumns> {
  const rows = await session.rows('DESCRIBE SELECT * FROM read_parquet($file, hive_partitioning = false)', {
    file,
  });
  return new Map(rows.map(({ column_name, column_type }) => [String(column_name), String(column_type)]));
}

/** A sentence for each tag of the rule, and of the crowds in it, that a partition with these columns cannot answer. */
export function findUnreadableTags(rule: CheckedRule, columns: ProfileColumns): string[] {
  const sentences = new Set<string>();
  for (const node of [rule.root, ...rule.crowds.values()]) {
    for (const tag of tagsOf(node)) {
      const sentence = whyUnread(tag) ?? findTypeConflict(tag, columns) ?? whyMissing(tag, columns);
      if (sentence !== undefined) sentences.add(sentence);
    }
  }
  return [...sentences];
}

/** A sentence if the wide table has the tag's column with a type other than the declared one. */
export function findTypeConflict(tag: Tag, columns: ProfileColumns): string | undefined {
  const actual = columns.get(tag.sourceField);
  if (whyUnread(tag) !== undefined || actual === undefined || canHold(tag.column, parseColumnType(actual)))
    return undefined;
  return `The tag ${tag.code} is declared as ${nameType(tag.column)}, and its column ${tag.sourceField} in ${PROFILE_TABLE_NAME} is ${actual}.`;
}

function whyUnread({ code, calculation, sourceTable }: Tag): string | undefined {
  if (calculation === 'realtime')
    return `The tag ${code} is computed in real time: what is computed offline cannot read it.`;
  if (sourceTable === null || sourceTable === PROFILE_TABLE_NAME) return undefined;
  return `The tag ${code} lies in the table ${sourceTable}: what is computed offline reads ${PROFILE_TABLE_NAME} only.`;
}

function whyMissing({ code, sourceField, column }: Tag, columns: ProfileColumns): string | undefined {
  if (columns.has(sourceField)) return undefined;
  return `The tag ${code} is declared as ${nameType(column)} in the column ${sourceField}, which ${PROFILE_TABLE_NAME} does not have.`;
}

function* tagsOf(node: RuleNode): Generator<Tag> {
  if (node.kind === 'tag') yield node.tag;
  else if (node.kind === 'not') yield* tagsOf(node.child);
  else if (node.kind !== 'crowd') for (const child of node.children) yield* tagsOf(child);
}

/** Is every value of the actual column one of the declared? The SQL of rules relies on that. */
function canHold(declared: ColumnType, actual: ColumnType | null): boolean {
  if (declared.kind === 'integer' && actual?.kind === 'integer') return actual.bits <= declared.bits;
  if (declared.kind === 'decimal' && actual?.kind === 'decimal')
    return (
      actual.scale <= declared.scale && actual.precision - actual.scale <= declared.precision - declared.scale
    );
  if (declared.kind === 'number') return actual?.kind === 'decimal' || actual?.kind === 'integer';
  return declared.kind === actual?.kind;
}

const INTEGER_NAMES = { 8: 'TINYINT', 16: 'SMALLINT', 32: 'INTEGER', 64: 'BIGINT' } as const;

function nameType(column: ColumnType): string {
  switch (column.kind) {
    case 'text':
      return column.padded ? 'CHAR' : 'text';
    case 'integer':
      return INTEGER_NAMES[column.bits];
    case 'decimal':
      return `DECIMAL(${column.precision},${column.scale})`;
    case 'number':
      return 'DECIMAL';
    default:
      return column.kind.toUpperCase();
  }
}
