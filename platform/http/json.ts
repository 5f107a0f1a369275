/** JSON in and out without losing digits: rules pass through the API as the very text that was sent. */
import { QuanrenError } from '../../errors/quanren-error.js';
import { JsonSyntaxError, type JsonValue, lineAt, parseJson } from '../../rules/index.js';

/** The member of a body whose text is read by the rule language: that tells of keys given twice itself, with the rest. */
const RULE = 'rule';

/** Throws `bad_request` for what is not JSON, and for a key given twice: readers differ in which they take. */
export function parseBody(text: string): unknown {
  try {
    const body = parseJson(text);
    refuseRepeatedKeys(body);
    return toPlain(body);
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const line = lineAt(text, error.offset);
    throw new QuanrenError('bad_request', `The body is not JSON: in line ${line}, ${error.message}.`);
  }
}

function toPlain(value: JsonValue): unknown {
  switch (value.kind) {
    case 'null':
      return null;
    case 'number':
      return Number(value.text);
    case 'array':
      return value.items.map(toPlain);
    case 'object':
      return Object.fromEntries(value.members.map(({ key, value: member }) => [key, toPlain(member)]));
    default:
      return value.value;
  }
}

function refuseRepeatedKeys(value: JsonValue, isBody = true): void {
  if (value.kind === 'array') for (const item of value.items) refuseRepeatedKeys(item, false);
  if (value.kind !== 'object') return;
  const seen = new Set<string>();
  for (const { key, value: member } of value.members) {
    if (seen.has(key))
      throw new QuanrenError('bad_request', `The body has the key '${key}' twice in one object.`);
    seen.add(key);
    if (!isBody || key !== RULE) refuseRepeatedKeys(member, false);
  }
}

/** The text of a member of the body's object, exactly as it was sent; '' where there is none. */
export function textOfMember(body: string, name: string): string {
  const value = parseJson(body);
  const member = value.kind === 'object' ? value.members.find(({ key }) => key === name) : undefined;
  return member === undefined ? '' : body.slice(member.value.start, member.value.end);
}

/** A value that is JSON text already. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** As JSON.stringify, with the texts of RawJson values put in as they are. */
export function stringifyReply(value: unknown): string {
  const texts: string[] = [];
  const text = JSON.stringify(value, (_, member: unknown) =>
    // U+0000 stands in no text of ours: neither the checks of requests nor Postgres let it pass.
    member instanceof RawJson ? `\u0000${texts.push(member.text) - 1}` : member,
  );
  return text.replace(/"\\u0000(\d+)"/g, (_, index: string) => texts[Number(index)] ?? 'null');
}
