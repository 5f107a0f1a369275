/**
 * A JSON (RFC 8259) parser that loses nothing: numbers keep their text, objects keep duplicate keys, strings keep lone
 * surrogates, and every value knows where it stands. What is allowed among these is for the readers to say.
 */
import { createDiagnostic, type Result } from './diagnostics.js';

export type JsonValue =
  | (JsonSpan & { readonly kind: 'null' })
  | (JsonSpan & { readonly kind: 'boolean'; readonly value: boolean })
  /** `text` as written, for example `1.50e3`. */
  | (JsonSpan & { readonly kind: 'number'; readonly text: string })
  | (JsonSpan & { readonly kind: 'string'; readonly value: string })
  | (JsonSpan & { readonly kind: 'array'; readonly items: readonly JsonValue[] })
  | (JsonSpan & { readonly kind: 'object'; readonly members: readonly JsonMember[] });

export type JsonObject = Extract<JsonValue, { kind: 'object' }>;

/** UTF-16 offsets into the text, [start, end). */
interface JsonSpan {
  readonly start: number;
  readonly end: number;
}

export interface JsonMember {
  readonly key: string;
  readonly value: JsonValue;
}

/** The text is not JSON. `message` says what is wrong there; `offset` is a UTF-16 offset. */
export class JsonSyntaxError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'JsonSyntaxError';
    this.offset = offset;
  }
}

/** Nested arrays and objects beyond this are refused, so that no text can exhaust the stack. */
const MAX_NESTING = 500;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them bare in strings.
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

/** Parses one JSON value; throws JsonSyntaxError. */
export function parseJson(text: string): JsonValue {
  return new Parser(text).parseDocument();
}

/** As parseJson, with what is wrong as a diagnostic. */
export function readJson(text: string): Result<JsonValue> {
  try {
    return { ok: true, value: parseJson(text) };
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const line = lineAt(text, error.offset);
    const where = line === 1 ? `at character ${error.offset + 1}` : `in line ${line}`;
    const message = `Not JSON: ${where}, ${error.message}.`;
    return { ok: false, diagnostics: [createDiagnostic('json_syntax', '', message)] };
  }
}

/** The member of that name: the first, where a key is repeated. */
export function getMember(object: JsonObject, key: string): JsonValue | undefined {
  return object.members.find((member) => member.key === key)?.value;
}

/** The 1-based line that an offset lies in. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}

/** Where the value that an RFC 6901 pointer names begins, or the nearest value above it that exists. */
export function offsetOf(value: JsonValue, pointer: string): number {
  let found = value;
  for (const token of pointer.split('/').slice(1)) {
    const next = step(found, token.replaceAll('~1', '/').replaceAll('~0', '~'));
    if (next === undefined) break;
    found = next;
  }
  return found.start;
}

function step(value: JsonValue, token: string): JsonValue | undefined {
  if (value.kind === 'object') return getMember(value, token);
  if (value.kind === 'array') return value.items[Number(token)];
  return undefined;
}

/** One more reference token for an RFC 6901 pointer. */
export function appendPointer(pointer: string, token: string | number): string {
  return `${pointer}/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/** What a value is, in the words of an error message. */
export function describeJson(value: JsonValue): string {
  switch (value.kind) {
    case 'null':
      return 'null';
    case 'boolean':
      return String(value.value);
    case 'number':
      return `the number ${shorten(value.text)}`;
    case 'string':
      return `the text ${JSON.stringify(shorten(value.value))}`;
    case 'array':
      return 'an array';
    case 'object':
      return 'an object';
  }
}

/** At most `length` characters of what came from outside, so that a message stays readable. */
export function shorten(text: string, length = 60): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parseDocument(): JsonValue {
    this.#skipSpace();
    const value = this.#parseValue(0);
    if (this.#at < this.#text.length) throw this.#unexpected('the end of the text');
    return value;
  }

  /** Also consumes the white space after the value; the value's own span is without it. */
  #parseValue(depth: number): JsonValue {
    if (depth > MAX_NESTING) throw new JsonSyntaxError(`nested more than ${MAX_NESTING} deep`, this.#at);
    const value = this.#parseBareValue(depth);
    this.#skipSpace();
    return value;
  }

  #parseBareValue(depth: number): JsonValue {
    const start = this.#at;
    switch (this.#text[start]) {
      case '{':
        return this.#parseObject(depth);
      case '[':
        return this.#parseArray(depth);
      case '"': {
        const value = this.#parseString();
        return { kind: 'string', value, start, end: this.#at };
      }
      case 't':
        this.#expectWord('true');
        return { kind: 'boolean', value: true, start, end: this.#at };
      case 'f':
        this.#expectWord('false');
        return { kind: 'boolean', value: false, start, end: this.#at };
      case 'n':
        this.#expectWord('null');
        return { kind: 'null', start, end: this.#at };
      default: {
        const text = this.#match(NUMBER);
        if (text === '') throw this.#unexpected('a value');
        return { kind: 'number', text, start, end: this.#at };
      }
    }
  }

  #parseObject(depth: number): JsonValue {
    const start = this.#at;
    const members: JsonMember[] = [];
    this.#parseItems('}', () => {
      if (this.#text[this.#at] !== '"') throw this.#unexpected('a key in double quotes');
      const key = this.#parseString();
      this.#skipSpace();
      if (this.#text[this.#at] !== ':') throw this.#unexpected("':'");
      this.#at += 1;
      this.#skipSpace();
      members.push({ key, value: this.#parseValue(depth + 1) });
    });
    return { kind: 'object', members, start, end: this.#at };
  }

  #parseArray(depth: number): JsonValue {
    const start = this.#at;
    const items: JsonValue[] = [];
    this.#parseItems(']', () => items.push(this.#parseValue(depth + 1)));
    return { kind: 'array', items, start, end: this.#at };
  }

  #parseItems(close: ']' | '}', parseItem: () => void): void {
    this.#at += 1;
    this.#skipSpace();
    if (this.#text[this.#at] !== close) {
      parseItem();
      while (this.#text[this.#at] === ',') {
        this.#at += 1;
        this.#skipSpace();
        parseItem();
      }
    }
    if (this.#text[this.#at] !== close) throw this.#unexpected(`',' or '${close}'`);
    this.#at += 1;
  }

  #parseString(): string {
    this.#at += 1;
    let value = '';
    for (;;) {
      value += this.#match(PLAIN_CHARACTERS);
      const next = this.#text[this.#at];
      if (next === '"') {
        this.#at += 1;
        return value;
      }
      if (next !== '\\') throw this.#unexpected('the closing quote of the string');
      value += this.#parseEscape();
    }
  }

  #parseEscape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    const simple = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (simple !== undefined) {
      this.#at += 2;
      return simple;
    }
    const hex = this.#text.slice(this.#at + 2, this.#at + 6);
    if (letter !== 'u' || !/^[0-9a-fA-F]{4}$/.test(hex)) {
      throw new JsonSyntaxError('there is no such escape in JSON', this.#at);
    }
    this.#at += 6;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #expectWord(word: string): void {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected('a value');
    this.#at += word.length;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += text.length;
    return text;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #unexpected(wanted: string): JsonSyntaxError {
    const code = this.#text.codePointAt(this.#at);
    const found =
      code === undefined
        ? 'the text ends'
        : code < 0x20
          ? `there is the control character U+${code.toString(16).toUpperCase().padStart(4, '0')}`
          : `there is '${String.fromCodePoint(code)}'`;
    return new JsonSyntaxError(`${found} where ${wanted} should be`, this.#at);
  }
}
