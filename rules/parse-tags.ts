/** From rows of tag_metadata to tags. */
import { createDiagnostic, type Diagnostic, type DiagnosticCode, type Result } from './diagnostics.js';
import { appendPointer, describeJson, getMember, type JsonValue, readJson, shorten } from './json.js';
import type { ColumnType, Tag, TagType, ValueFormat } from './tag.js';
import { findForbidden, isCode } from './text.js';

/** The fields of tag_metadata that tell what a tag means and where it lies, as stored; null or left out where there is none. */
export interface TagFields {
  readonly tag_code: string;
  readonly tag_type: string;
  /** The column; by default that of the tag's own code. */
  readonly source_field?: string | null | undefined;
  /** For datetime tags; by default what the column's type says. */
  readonly value_format?: string | null | undefined;
  /** The column's SQL type, in any case; by default text. */
  readonly source_type?: string | null | undefined;
  readonly source_table?: string | null | undefined;
  /** `offline` or `realtime`; by default offline. */
  readonly calculation_type?: string | undefined;
}

/** What a rule's meaning depends on. */
const FIELDS = ['tag_code', 'tag_type', 'source_field', 'value_format', 'source_type'] as const;
const TAG_TYPES: readonly TagType[] = ['enum', 'numeric', 'boolean', 'datetime'];
const VALUE_FORMATS: readonly ValueFormat[] = [
  'date',
  'date:yyyymmdd',
  'instant',
  'instant:epoch_seconds',
  'instant:epoch_millis',
];
const MAX_FIELD_LENGTH = 100;

/** The kinds of column that hold a tag of each type, and for datetimes of each format. */
const COLUMNS_OF_TYPE: Readonly<Record<Exclude<TagType, 'datetime'>, readonly ColumnType['kind'][]>> = {
  enum: ['text'],
  numeric: ['decimal', 'number', 'integer', 'text'],
  boolean: ['boolean', 'text'],
};
const COLUMNS_OF_FORMAT: Readonly<Record<ValueFormat, readonly ColumnType['kind'][]>> = {
  date: ['date', 'text'],
  'date:yyyymmdd': ['text', 'integer'],
  instant: ['timestamp', 'timestamptz', 'text'],
  'instant:epoch_seconds': ['text', 'integer'],
  'instant:epoch_millis': ['text', 'integer'],
};
const INTEGER_BITS: Readonly<Record<string, 8 | 16 | 32 | 64>> = {
  TINYINT: 8,
  SMALLINT: 16,
  INT: 32,
  INTEGER: 32,
  BIGINT: 64,
};

/** Reads a JSON array of tag_metadata rows; members that a rule's meaning does not depend on are ignored. */
export function parseTags(text: string): Result<ReadonlyMap<string, Tag>> {
  const json = readJson(text);
  if (!json.ok) return json;
  if (json.value.kind !== 'array') {
    return refuse('', `Tags are an array of objects, not ${describeJson(json.value)}.`);
  }
  const tags = new Map<string, Tag>();
  const diagnostics: Diagnostic[] = [];
  for (const [index, item] of json.value.items.entries()) {
    const result = parseTag(item, `/${index}`);
    if (!result.ok) diagnostics.push(...result.diagnostics);
    else if (tags.has(result.value.code)) {
      const message = `There is more than one tag '${result.value.code}'.`;
      diagnostics.push(createDiagnostic('duplicate_tag', `/${index}/tag_code`, message));
    } else tags.set(result.value.code, result.value);
  }
  return diagnostics.length > 0 ? { ok: false, diagnostics } : { ok: true, value: tags };
}

function parseTag(json: JsonValue, pointer: string): Result<Tag> {
  if (json.kind !== 'object') return refuse(pointer, `A tag is an object, not ${describeJson(json)}.`);
  const fields: Record<string, string | null> = {};
  const diagnostics: Diagnostic[] = [];
  for (const name of FIELDS) {
    const at = appendPointer(pointer, name);
    const value = getMember(json, name);
    if (json.members.filter(({ key }) => key === name).length > 1) {
      diagnostics.push(createDiagnostic('duplicate_key', at, `'${name}' is given more than once.`));
    } else if (value === undefined || value.kind === 'null') {
      if (name === 'tag_code' || name === 'tag_type') {
        diagnostics.push(createDiagnostic('missing_key', at, `The tag has no '${name}'.`));
      }
    } else if (value.kind === 'string') fields[name] = value.value;
    else
      diagnostics.push(
        createDiagnostic('invalid_tag', at, `'${name}' is a text, not ${describeJson(value)}.`),
      );
  }
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  return createTag({ tag_code: '', tag_type: '', ...fields }, pointer);
}

function refuse(pointer: string, message: string): Result<never> {
  return { ok: false, diagnostics: [createDiagnostic('invalid_tag', pointer, message)] };
}

/** Makes a tag of the fields of one tag_metadata row; pointers of diagnostics begin with `pointer`. */
export function createTag(fields: TagFields, pointer = ''): Result<Tag> {
  const diagnostics: Diagnostic[] = [];
  const fail = (
    field: keyof TagFields,
    message: string,
    code: DiagnosticCode = 'invalid_tag',
    hint?: string,
  ) => {
    diagnostics.push(createDiagnostic(code, appendPointer(pointer, field), message, hint));
  };

  const code = fields.tag_code;
  if (!isCode(code)) fail('tag_code', `'${shorten(code)}' is not a tag code.`, 'invalid_code');
  const sourceField = fields.source_field ?? code;
  if (sourceField === '' || sourceField.length > MAX_FIELD_LENGTH || findForbidden(sourceField) !== null) {
    fail('source_field', `A column's name has 1 to ${MAX_FIELD_LENGTH} characters, none of them U+0000.`);
  }
  const type = TAG_TYPES.find((known) => known === fields.tag_type);
  if (type === undefined) {
    fail('tag_type', `'${shorten(fields.tag_type)}' is not a type: ${TAG_TYPES.join(', ')}.`);
  }
  const column = parseColumnType(fields.source_type ?? 'TEXT', (message, problem, hint) =>
    fail('source_type', message, problem, hint),
  );
  if (type === undefined || column === null) return { ok: false, diagnostics };

  const format = type === 'datetime' ? readFormat(fields.value_format, column, fail) : null;
  if (type !== 'datetime') {
    if ((fields.value_format ?? null) !== null) {
      fail('value_format', `Only datetime tags have a format, and this one is ${type}.`);
    }
    checkColumn(COLUMNS_OF_TYPE[type], `A tag of type ${type}`, column, fail);
  } else if (format !== null) {
    checkColumn(COLUMNS_OF_FORMAT[format], `A datetime of format '${format}'`, column, fail);
  }
  if (diagnostics.length > 0) return { ok: false, diagnostics };
  const calculation = fields.calculation_type === 'realtime' ? 'realtime' : 'offline';
  const sourceTable = fields.source_table ?? null;
  return { ok: true, value: { code, type, sourceField, column, format, sourceTable, calculation } };
}

type Fail = (field: keyof TagFields, message: string) => void;

function readFormat(written: string | null | undefined, column: ColumnType, fail: Fail): ValueFormat | null {
  if (written === null || written === undefined) {
    if (column.kind === 'date') return 'date';
    if (column.kind === 'timestamp' || column.kind === 'timestamptz') return 'instant';
    fail('value_format', `A datetime in a ${column.kind} column needs one of ${VALUE_FORMATS.join(', ')}.`);
    return null;
  }
  const format = VALUE_FORMATS.find((known) => known === written);
  if (format === undefined) {
    fail('value_format', `'${shorten(written)}' is not a format: ${VALUE_FORMATS.join(', ')}.`);
  }
  return format ?? null;
}

function checkColumn(
  allowed: readonly ColumnType['kind'][],
  what: string,
  column: ColumnType,
  fail: Fail,
): void {
  if (allowed.includes(column.kind)) return;
  fail('source_type', `${what} cannot be in a ${column.kind} column, only in ${allowed.join(', ')}.`);
}

/** Reads an SQL type, in any case; null for one that tags cannot be in, of which `fail` hears why. */
export function parseColumnType(
  text: string,
  fail: (message: string, code?: DiagnosticCode, hint?: string) => void = () => {},
): ColumnType | null {
  const [, name = '', first, second] =
    /^([A-Z]+(?: WITH TIME ZONE| WITHOUT TIME ZONE| PRECISION)?)(?: ?\( ?([0-9]{1,9}) ?(?:, ?([0-9]{1,9}) ?)?\))?$/.exec(
      text.trim().replace(/\s+/g, ' ').toUpperCase(),
    ) ?? [];
  const hasArguments = first !== undefined;
  switch (name) {
    case 'VARCHAR':
    case 'CHAR':
      if (second === undefined) return { kind: 'text', padded: name === 'CHAR' };
      break;
    case 'STRING':
    case 'TEXT':
      if (!hasArguments) return { kind: 'text', padded: false };
      break;
    case 'TINYINT':
    case 'SMALLINT':
    case 'INT':
    case 'INTEGER':
    case 'BIGINT':
      if (!hasArguments) return { kind: 'integer', bits: INTEGER_BITS[name] ?? 64 };
      break;
    case 'DECIMAL':
    case 'NUMERIC': {
      if (!hasArguments) return { kind: 'number' };
      const precision = Number(first);
      const scale = Number(second ?? 0);
      if (precision >= 1 && precision <= 38 && scale <= precision)
        return { kind: 'decimal', precision, scale };
      fail(`${shorten(text)}: the precision is 1 to 38, and the scale 0 to the precision.`);
      return null;
    }
    case 'BOOLEAN':
      if (!hasArguments) return { kind: 'boolean' };
      break;
    case 'DATE':
      if (!hasArguments) return { kind: 'date' };
      break;
    case 'TIMESTAMP':
    case 'TIMESTAMP WITHOUT TIME ZONE':
      if (!hasArguments) return { kind: 'timestamp' };
      break;
    case 'TIMESTAMPTZ':
    case 'TIMESTAMP WITH TIME ZONE':
      if (!hasArguments) return { kind: 'timestamptz' };
      break;
    case 'FLOAT':
    case 'DOUBLE':
    case 'DOUBLE PRECISION':
    case 'REAL':
      fail(`A tag cannot be in a ${name} column.`, 'float_column');
      return null;
  }
  fail(
    `'${shorten(text)}' is not a column type that tags can be in.`,
    'invalid_tag',
    'Use STRING, VARCHAR(n), TINYINT, SMALLINT, INT, BIGINT, DECIMAL(p,s), BOOLEAN, DATE, TIMESTAMP or TIMESTAMPTZ.',
  );
  return null;
}
