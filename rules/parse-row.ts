/** From `{"uid": "u1", "tags": {"age": 20}}` to a row that rules can be asked about. */
import { writeOutExponent } from './decimal.js';
import { createDiagnostic, type Diagnostic, type Result } from './diagnostics.js';
import { appendPointer, describeJson, getMember, type JsonValue, readJson, shorten } from './json.js';
import { findForbidden } from './text.js';
import type { Row } from './value.js';

export interface UserRow {
  /** 1 to 512 bytes of UTF-8, no U+0000. */
  readonly uid: string;
  /** By tag code, what the column would hold as text. */
  readonly row: Row;
}

const MAX_UID_BYTES = 512;
const utf8 = new TextEncoder();

/**
 * Reads one row. Scalars are taken by their text, numbers with their exponent written out; null and missing members
 * are NULL. Members beside `uid` and `tags` are ignored, and so will be tags that no rule reads.
 */
export function parseRow(text: string): Result<UserRow> {
  const json = readJson(text);
  return json.ok ? readRow(json.value, '') : json;
}

/** As parseRow, of parsed JSON; pointers of diagnostics begin with `pointer`. */
export function readRow(json: JsonValue, pointer: string): Result<UserRow> {
  const diagnostics: Diagnostic[] = [];
  const fail = (at: string, message: string) => {
    diagnostics.push(createDiagnostic('invalid_row', at, message));
    return null;
  };
  if (json.kind !== 'object') {
    fail(pointer, `A row is an object, not ${describeJson(json)}.`);
    return { ok: false, diagnostics };
  }
  const uid = getMember(json, 'uid');
  if (uid?.kind !== 'string' || !isUid(uid.value)) {
    fail(`${pointer}/uid`, `"uid" is a text of 1 to ${MAX_UID_BYTES} bytes without U+0000.`);
  }
  const tags = getMember(json, 'tags');
  const row = new Map<string, string | null>();
  if (tags?.kind !== 'object') fail(`${pointer}/tags`, '"tags" is an object of values by tag code.');
  else {
    for (const { key, value } of tags.members) {
      const failHere = (message: string) => fail(appendPointer(`${pointer}/tags`, key), message);
      if (row.has(key)) failHere(`The tag '${shorten(key)}' is given more than once.`);
      row.set(key, readScalar(value, failHere));
    }
  }
  if (diagnostics.length > 0 || uid?.kind !== 'string') return { ok: false, diagnostics };
  return { ok: true, value: { uid: uid.value, row } };
}

function isUid(uid: string): boolean {
  return uid !== '' && findForbidden(uid) === null && utf8.encode(uid).length <= MAX_UID_BYTES;
}

function readScalar(json: JsonValue, fail: (message: string) => null): string | null {
  switch (json.kind) {
    case 'null':
      return null;
    case 'boolean':
      return String(json.value);
    case 'number':
      return writeOutExponent(json.text) ?? fail(`${shorten(json.text)} is too long when written out.`);
    case 'string': {
      const forbidden = findForbidden(json.value);
      return forbidden === null
        ? json.value
        : fail(`The value has ${forbidden} in it, which no column can hold.`);
    }
    default:
      return fail(`A tag's value is a text, a number, true, false or null, not ${describeJson(json)}.`);
  }
}
