/**
 * Reads test/spec/rules/*.json: what rules mean, as data that an engine in any language can be run against.
 *
 * A file is {"about", "zone", "tags", "cases"}; a case is {"name", "rule", …} with its own "zone", "tags", "crowds"
 * (code → rule) and "anchor" ({"dt": "YYYY-MM-DD"} or {"at": "<instant with offset>"}) where needed, and either "rows",
 * [{"uid", "tags", "expect": true | false | null}] with null for unknown, or "diagnostics", [{"code", "pointer",
 * "crowd"?}]. A rule is a JSON object, whose numbers must be read without loss, or a text that holds its JSON.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  type Anchor,
  type Diagnostic,
  getZone,
  type JsonValue,
  parseDate,
  parseInstant,
  parseJson,
  parseTags,
  type Result,
  type Tag,
  type Truth,
  type UserRow,
} from '../../rules/index.js';
import { getMember, type JsonObject } from '../../rules/json.js';
import { readRow } from '../../rules/parse-row.js';

export interface SpecCase {
  /** `file: name`. */
  readonly name: string;
  readonly zone: string;
  readonly tags: ReadonlyMap<string, Tag>;
  readonly crowds: ReadonlyMap<string, string>;
  readonly anchor: Anchor | null;
  /** The rule's JSON text. */
  readonly rule: string;
  readonly rows: readonly (UserRow & { readonly expect: Truth })[];
  /** Not empty iff the rule is refused. */
  readonly diagnostics: readonly {
    readonly code: string;
    readonly pointer: string;
    readonly crowd?: string;
  }[];
}

const FOLDER = path.resolve(import.meta.dirname, '..', '..', '..', 'test', 'spec', 'rules');

export function readSpecCases(): readonly SpecCase[] {
  return readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => readFile(name, readFileSync(path.join(FOLDER, name), 'utf8')));
}

function readFile(file: string, text: string): SpecCase[] {
  const root = asObject(parseJson(text), file);
  const cases = getMember(root, 'cases');
  if (cases?.kind !== 'array') throw new Error(`${file} has no cases.`);
  return cases.items.map((item, index) =>
    readCase(file, text, root, asObject(item, `${file} case ${index}`)),
  );
}

function readCase(file: string, text: string, root: JsonObject, json: JsonObject): SpecCase {
  const name = `${file}: ${asText(getMember(json, 'name'), file)}`;
  const either = (key: string) => getMember(json, key) ?? getMember(root, key);
  const zone = asText(either('zone'), `${name}: zone`);
  const tags = either('tags');
  const parsedTags = expectOk(parseTags(tags === undefined ? '[]' : text.slice(tags.start, tags.end)), name);
  const ruleText = (rule: JsonValue) =>
    rule.kind === 'string' ? rule.value : text.slice(rule.start, rule.end);
  const rule = getMember(json, 'rule');
  const rows = getMember(json, 'rows');
  const diagnostics = getMember(json, 'diagnostics');
  if (rule === undefined || (rows === undefined) === (diagnostics === undefined)) {
    throw new Error(`${name} needs a rule, and rows or diagnostics.`);
  }
  return {
    name,
    zone,
    tags: parsedTags,
    crowds: new Map(membersOf(either('crowds')).map(({ key, value }) => [key, ruleText(value)])),
    anchor: readAnchor(getMember(json, 'anchor'), zone, name),
    rule: ruleText(rule),
    rows: itemsOf(rows).map((row) => ({
      ...expectOk(readRow(row, ''), name),
      expect: readTruth(asObject(row, name), name),
    })),
    diagnostics: itemsOf(diagnostics).map((item) => JSON.parse(text.slice(item.start, item.end))),
  };
}

function readTruth(row: JsonObject, name: string): Truth {
  const expect = getMember(row, 'expect');
  if (expect?.kind === 'null') return null;
  if (expect?.kind === 'boolean') return expect.value;
  throw new Error(`${name}: a row needs "expect": true, false or null.`);
}

function readAnchor(json: JsonValue | undefined, zone: string, name: string): Anchor | null {
  if (json === undefined) return null;
  const anchor = asObject(json, name);
  const dt = getMember(anchor, 'dt');
  if (dt !== undefined) {
    const day = parseDate(asText(dt, name));
    if (day !== null) return { kind: 'dt', day };
  }
  const micros = parseInstant(asText(getMember(anchor, 'at'), `${name}: anchor`), getZone(zone));
  if (micros === null) throw new Error(`${name}: the anchor is neither a day nor a moment.`);
  return { kind: 'at', micros };
}

function expectOk<T>(result: Result<T>, name: string): T {
  if (result.ok) return result.value;
  throw new Error(`${name}: ${result.diagnostics.map(({ message }: Diagnostic) => message).join(' ')}`);
}

function asObject(json: JsonValue, name: string): JsonObject {
  if (json.kind !== 'object') throw new Error(`${name} is not an object.`);
  return json;
}

function asText(json: JsonValue | undefined, name: string): string {
  if (json?.kind !== 'string') throw new Error(`${name} is not a text.`);
  return json.value;
}

function itemsOf(json: JsonValue | undefined): readonly JsonValue[] {
  return json?.kind === 'array' ? json.items : [];
}

function membersOf(json: JsonValue | undefined): JsonObject['members'] {
  return json?.kind === 'object' ? json.members : [];
}
