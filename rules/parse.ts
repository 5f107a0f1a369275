/** From a rule's JSON to its tree: shape, operators, limits and values that no tag could make right. */

import { TAG_OPERATORS, type TagOperator } from './ast.js';
import { type Decimal, parseDecimal, writeOutExponent } from './decimal.js';
import { createDiagnostic, type Diagnostic, type DiagnosticCode, type Result } from './diagnostics.js';
import {
  appendPointer,
  describeJson,
  getMember,
  type JsonObject,
  type JsonValue,
  offsetOf,
  readJson,
  shorten,
} from './json.js';
import { findForbidden, isCode } from './text.js';

/** Levels of nesting; a condition is one, a group one more than its deepest child. */
export const MAX_DEPTH = 32;
export const MAX_CONDITIONS = 10_000;
export const MAX_LIST_LENGTH = 100_000;
/** Of one rule; what comes after would not be read. */
export const MAX_DIAGNOSTICS = 1_000;

/** A value as the rule writes it, before the tag says what it is. */
export type Literal =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'decimal'; readonly value: Decimal }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'relative'; readonly amount: number; readonly unit: 'd' | 'h' | 'm' };

export interface ParsedTagCondition {
  readonly kind: 'tag';
  readonly tagCode: string;
  readonly op: TagOperator;
  /** With the pointer of each: none for IS [NOT] NULL, two for [NOT] BETWEEN, one or more for [NOT] IN, else one. */
  readonly values: readonly { readonly literal: Literal; readonly pointer: string }[];
  readonly pointer: string;
}

export type ParsedNode =
  | { readonly kind: 'and' | 'or'; readonly children: readonly ParsedNode[]; readonly pointer: string }
  | { readonly kind: 'not'; readonly child: ParsedNode; readonly pointer: string }
  | ParsedTagCondition
  | {
      readonly kind: 'crowd';
      readonly crowdCode: string;
      readonly negated: boolean;
      readonly pointer: string;
    };

/** What could be read of a rule, and what is wrong with the rest; `root` is whole only without diagnostics. */
export interface PartialParse {
  readonly root: ParsedNode | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads a rule's JSON text. */
export function parseRule(text: string): Result<ParsedNode> {
  const json = readJson(text);
  if (!json.ok) return json;
  const { root, diagnostics } = parsePartially(json.value);
  return root !== null && diagnostics.length === 0
    ? { ok: true, value: root }
    : { ok: false, diagnostics: sortDiagnostics(diagnostics, json.value) };
}

/** Reads as much of a rule as it can, so that the checker can go on and report everything at once. */
export function parsePartially(json: JsonValue): PartialParse {
  const parser = new RuleParser();
  const root = parser.parseNode(json, '', 1);
  return { root, diagnostics: parser.diagnostics };
}

/** In the order of the text, and no more than MAX_DIAGNOSTICS. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[], json: JsonValue): readonly Diagnostic[] {
  return diagnostics
    .map((diagnostic) => ({ diagnostic, offset: offsetOf(json, diagnostic.pointer) }))
    .sort((a, b) => a.offset - b.offset)
    .slice(0, MAX_DIAGNOSTICS)
    .map(({ diagnostic }) => diagnostic);
}

const GROUP_KEYS = ['logic', 'conditions'];
const TAG_KEYS = ['tag_code', 'op', 'value'];
const CROWD_KEYS = ['crowd_code', 'op'];
const RELATIVE_KEYS = ['relative'];
const CROWD_OPERATORS = ['IN CROWD', 'NOT IN CROWD'];
const OPERATORS_OF_OTHER_LANGUAGES: Readonly<Record<string, string>> = {
  '==': '=',
  '<>': '!=',
  LIKE: 'CONTAINS',
};
const MAX_RELATIVE = { d: 36_500, h: 876_000, m: 52_560_000 };

class RuleParser {
  readonly diagnostics: Diagnostic[] = [];
  #conditions = 0;

  parseNode(json: JsonValue, pointer: string, depth: number): ParsedNode | null {
    if (json.kind !== 'object') {
      return this.#fail('wrong_shape', pointer, `A condition is an object, not ${describeJson(json)}.`);
    }
    if (depth > MAX_DEPTH) {
      return this.#fail('too_deep', pointer, `This is level ${depth}.`);
    }
    const has = (key: string) => getMember(json, key) !== undefined;
    if (has('logic') || has('conditions')) return this.#parseGroup(json, pointer, depth);
    if (!has('crowd_code') && !has('tag_code')) {
      return this.#fail('wrong_shape', pointer, 'There is no "logic", "tag_code" or "crowd_code".');
    }
    this.#conditions += 1;
    if (this.#conditions === MAX_CONDITIONS + 1) {
      this.#fail('too_many_conditions', pointer, `This is condition ${this.#conditions}.`);
    }
    if (this.#conditions > MAX_CONDITIONS) return null;
    return has('tag_code')
      ? this.#parseTagCondition(json, pointer)
      : this.#parseCrowdCondition(json, pointer);
  }

  #parseGroup(json: JsonObject, pointer: string, depth: number): ParsedNode | null {
    this.#checkKeys(json, GROUP_KEYS, pointer);
    const logic = this.#parseLogic(json, pointer);
    const conditions = getMember(json, 'conditions');
    const at = `${pointer}/conditions`;
    if (conditions === undefined) return this.#fail('missing_key', at, 'The group has no "conditions".');
    if (conditions.kind !== 'array') {
      return this.#fail('wrong_shape', at, `"conditions" is an array, not ${describeJson(conditions)}.`);
    }
    const { items } = conditions;
    if (items.length === 0) return this.#fail('empty_group', at, 'The group is empty.');
    if (logic === 'not' && items.length > 1)
      this.#fail('not_takes_one', at, `NOT has ${items.length} conditions.`);
    const children = items
      .map((item, index) => this.parseNode(item, `${at}/${index}`, depth + 1))
      .filter((child) => child !== null);
    const [first] = children;
    if (first === undefined) return null;
    return logic === 'not' ? { kind: 'not', child: first, pointer } : { kind: logic, children, pointer };
  }

  /** Where the logic cannot be read, AND stands in, so that the conditions are looked at nevertheless. */
  #parseLogic(json: JsonObject, pointer: string): 'and' | 'or' | 'not' {
    const logic = getMember(json, 'logic');
    const at = `${pointer}/logic`;
    if (logic === undefined) this.#fail('missing_key', at, 'The group has no "logic".');
    else if (logic.kind === 'string') {
      if (logic.value === 'AND') return 'and';
      if (logic.value === 'OR') return 'or';
      if (logic.value === 'NOT') return 'not';
    }
    if (logic !== undefined)
      this.#fail('invalid_logic', at, `${capitalise(describeJson(logic))} is no logic.`);
    return 'and';
  }

  #parseCrowdCondition(json: JsonObject, pointer: string): ParsedNode | null {
    if (getMember(json, 'value') !== undefined) {
      this.#fail('unexpected_value', `${pointer}/value`, 'A condition on a crowd has no value.');
    }
    this.#checkKeys(json, [...CROWD_KEYS, 'value'], pointer);
    const crowdCode = this.#parseCode(json, 'crowd_code', pointer);
    const op = this.#parseOperator(json, CROWD_OPERATORS, pointer);
    return crowdCode === null ? null : { kind: 'crowd', crowdCode, negated: op === 'NOT IN CROWD', pointer };
  }

  #parseTagCondition(json: JsonObject, pointer: string): ParsedNode | null {
    this.#checkKeys(json, TAG_KEYS, pointer);
    const tagCode = this.#parseCode(json, 'tag_code', pointer);
    const op = this.#parseOperator(json, TAG_OPERATORS, pointer);
    // Where the operator cannot be read, one that every type has stands in, so that the tag is looked at nevertheless.
    const values = op === null ? [] : this.#parseValues(getMember(json, 'value'), op, `${pointer}/value`);
    return tagCode === null ? null : { kind: 'tag', tagCode, op: op ?? 'IS NULL', values, pointer };
  }

  #parseCode(json: JsonObject, key: 'tag_code' | 'crowd_code', pointer: string): string | null {
    const code = getMember(json, key);
    const at = `${pointer}/${key}`;
    if (code?.kind === 'string' && isCode(code.value)) return code.value;
    return this.#fail('invalid_code', at, `${capitalise(describeJson(code ?? json))} is not a code.`);
  }

  #parseOperator<Operator extends string>(
    json: JsonObject,
    operators: readonly Operator[],
    pointer: string,
  ): Operator | null {
    const op = getMember(json, 'op');
    const at = `${pointer}/op`;
    if (op === undefined) return this.#fail('missing_key', at, 'The condition has no "op".');
    if (op.kind !== 'string') {
      return this.#fail('unknown_operator', at, `An operator is a text, not ${describeJson(op)}.`);
    }
    const known = operators.find((operator) => operator === op.value);
    if (known !== undefined) return known;
    const folded = op.value.trim().replace(/\s+/g, ' ').toUpperCase();
    const meant = Object.hasOwn(OPERATORS_OF_OTHER_LANGUAGES, folded)
      ? OPERATORS_OF_OTHER_LANGUAGES[folded]
      : operators.find((operator) => operator === folded);
    const message = `'${shorten(op.value)}' is no operator here`;
    return this.#fail(
      'unknown_operator',
      at,
      meant === undefined ? `${message}: ${operators.join(', ')}.` : `${message}: is '${meant}' meant?`,
    );
  }

  #parseValues(json: JsonValue | undefined, op: TagOperator, pointer: string): ParsedTagCondition['values'] {
    if (op === 'IS NULL' || op === 'IS NOT NULL') {
      if (json !== undefined) this.#fail('unexpected_value', pointer, `${op} takes no value.`);
      return [];
    }
    if (json === undefined) {
      this.#fail('missing_key', pointer, `${op} needs a "value".`);
      return [];
    }
    if (op === 'IN' || op === 'NOT IN') return this.#parseList(json, op, pointer);
    if (op === 'BETWEEN' || op === 'NOT BETWEEN') {
      if (json.kind === 'array' && json.items.length === 2) return this.#parseItems(json.items, pointer);
      this.#fail('wrong_value', pointer, `${op} takes an array of two bounds, the smaller first.`);
      return [];
    }
    const literal = this.#parseLiteral(json, pointer);
    if (literal === null) return [];
    if (op === 'STARTS WITH' || op === 'CONTAINS') {
      if (literal.kind !== 'string') {
        this.#fail('wrong_value', pointer, `${op} takes a text, not ${describeJson(json)}.`);
        return [];
      }
      if (literal.value === '') {
        this.#fail('empty_text', pointer, `${op} an empty text would mean everyone.`);
        return [];
      }
    }
    return [{ literal, pointer }];
  }

  #parseList(json: JsonValue, op: TagOperator, pointer: string): ParsedTagCondition['values'] {
    if (json.kind !== 'array') {
      this.#fail('wrong_value', pointer, `${op} takes an array of values, not ${describeJson(json)}.`);
      return [];
    }
    if (json.items.length === 0) this.#fail('empty_list', pointer, 'The list is empty.');
    if (json.items.length > MAX_LIST_LENGTH) {
      this.#fail('too_many_values', pointer, `The list has ${json.items.length} values.`);
      return [];
    }
    return this.#parseItems(json.items, pointer);
  }

  #parseItems(items: readonly JsonValue[], pointer: string): ParsedTagCondition['values'] {
    return items.flatMap((item, index) => {
      const at = `${pointer}/${index}`;
      const literal = this.#parseLiteral(item, at);
      return literal === null ? [] : [{ literal, pointer: at }];
    });
  }

  #parseLiteral(json: JsonValue, pointer: string): Literal | null {
    switch (json.kind) {
      case 'null':
        return this.#fail('null_value', pointer, 'null is not a value: a comparison with it is never true.');
      case 'boolean':
        return { kind: 'boolean', value: json.value };
      case 'number': {
        const value = parseDecimal(writeOutExponent(json.text) ?? '');
        if (value !== null) return { kind: 'decimal', value };
        return this.#fail('invalid_number', pointer, `${shorten(json.text)} has more than 38 digits.`);
      }
      case 'string': {
        const forbidden = findForbidden(json.value);
        if (forbidden === null) return { kind: 'string', value: json.value };
        return this.#fail('invalid_text', pointer, `The text has ${forbidden} in it.`);
      }
      case 'array':
        return this.#fail('wrong_value', pointer, 'There is an array where one value should be.');
      case 'object':
        return this.#parseRelative(json, pointer);
    }
  }

  #parseRelative(json: JsonObject, pointer: string): Literal | null {
    this.#checkKeys(json, RELATIVE_KEYS, pointer);
    const relative = getMember(json, 'relative');
    const at = `${pointer}/relative`;
    if (relative === undefined)
      return this.#fail('missing_key', at, 'An object as a value is {"relative": "-30d"}.');
    const [, number, unit] =
      (relative.kind === 'string' ? /^([+-]?[0-9]{1,8})([dhm])$/.exec(relative.value) : null) ?? [];
    if (unit !== 'd' && unit !== 'h' && unit !== 'm') {
      return this.#fail(
        'invalid_relative',
        at,
        `${capitalise(describeJson(relative))} is not a span of time.`,
      );
    }
    const amount = Number(number);
    if (Math.abs(amount) > MAX_RELATIVE[unit]) {
      return this.#fail('invalid_relative', at, `${amount}${unit} is too far from the anchor.`);
    }
    return { kind: 'relative', amount: amount === 0 ? 0 : amount, unit };
  }

  #checkKeys(json: JsonObject, allowed: readonly string[], pointer: string): void {
    const seen = new Set<string>();
    for (const { key } of json.members) {
      const at = appendPointer(pointer, key);
      if (seen.has(key)) this.#fail('duplicate_key', at, `"${shorten(key)}" is there more than once.`);
      else if (!allowed.includes(key)) {
        this.#fail(
          'unknown_key',
          at,
          `"${shorten(key)}" is none of ${allowed.map((name) => `"${name}"`).join(', ')}.`,
        );
      }
      seen.add(key);
    }
  }

  #fail(code: DiagnosticCode, pointer: string, message: string): null {
    this.diagnostics.push(createDiagnostic(code, pointer, message));
    return null;
  }
}

function capitalise(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
