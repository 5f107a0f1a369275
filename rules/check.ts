/** From a parsed rule to a checked one: tags known, values typed, crowds found, limits kept. */
import type { CheckedRule, Operand, RuleNode, TagCondition, TagOperator } from './ast.js';
import { parseDate, parseWrittenInstant } from './civil.js';
import { compareDecimals } from './decimal.js';
import { createDiagnostic, type Diagnostic, type DiagnosticCode, type Result } from './diagnostics.js';
import { readJson, shorten } from './json.js';
import {
  type Literal,
  MAX_CONDITIONS,
  MAX_DEPTH,
  type ParsedNode,
  type ParsedTagCondition,
  parsePartially,
  sortDiagnostics,
} from './parse.js';
import { areInverted } from './resolve.js';
import type { Tag, TagType } from './tag.js';
import { isDayTag, parseInstant } from './value.js';
import { getZone, type Zone } from './zone.js';

/** What a rule is checked against. */
export interface RuleEnvironment {
  /** By tag code. */
  readonly tags: ReadonlyMap<string, Tag>;
  /** The JSON text of each crowd's current rule, by crowd code. */
  readonly crowds: ReadonlyMap<string, string>;
  /** The platform's time zone, an IANA name. */
  readonly zone: string;
}

/** Checks one rule. For many in one environment, keep a RuleChecker: it reads each crowd once. */
export function checkRule(text: string, environment: RuleEnvironment): Result<CheckedRule> {
  return new RuleChecker(environment).checkRule(text);
}

const COMPARISONS: readonly TagOperator[] = ['=', '!=', '>', '>=', '<', '<='];
const NULL_TESTS: readonly TagOperator[] = ['IS NULL', 'IS NOT NULL'];
const ORDERED: readonly TagOperator[] = [
  ...COMPARISONS,
  'BETWEEN',
  'NOT BETWEEN',
  'IN',
  'NOT IN',
  ...NULL_TESTS,
];

export const OPERATORS_OF_TYPE: Readonly<Record<TagType, readonly TagOperator[]>> = {
  enum: ['=', '!=', 'IN', 'NOT IN', 'STARTS WITH', 'CONTAINS', ...NULL_TESTS],
  numeric: ORDERED,
  boolean: ['=', '!=', ...NULL_TESTS],
  datetime: ORDERED,
};

/** One rule by itself: what it refers to is not looked into. */
interface RulePart {
  /** Null if it has errors of its own. */
  readonly node: RuleNode | null;
  readonly diagnostics: readonly Diagnostic[];
  readonly references: readonly CrowdReference[];
  readonly size: Size;
}

interface CrowdReference {
  readonly code: string;
  readonly pointer: string;
  /** The level that the reference is on; 1 is the root. */
  readonly level: number;
}

/** Of a rule in which every crowd condition is replaced by that crowd's rule. */
interface Size {
  readonly depth: number;
  readonly conditions: number;
}

export class RuleChecker {
  readonly #environment: RuleEnvironment;
  readonly #zone: Zone;
  readonly #crowds = new Map<string, RulePart>();

  constructor(environment: RuleEnvironment) {
    this.#environment = environment;
    this.#zone = getZone(environment.zone);
  }

  /** Checks a rule that is not (yet) any crowd's. */
  checkRule(text: string): Result<CheckedRule> {
    return this.#assemble(this.#checkPart(text), null);
  }

  /**
   * Checks the rule that the environment has for a crowd, and that the crowd does not come to refer to itself.
   * To check a change before it is made, give an environment in which it is made.
   */
  checkCrowd(code: string): Result<CheckedRule> {
    const part = this.#getCrowd(code);
    if (part !== null) return this.#assemble(part, code);
    return {
      ok: false,
      diagnostics: [createDiagnostic('unknown_crowd', '', `There is no crowd '${code}'.`)],
    };
  }

  #getCrowd(code: string): RulePart | null {
    const known = this.#crowds.get(code);
    if (known !== undefined) return known;
    const text = this.#environment.crowds.get(code);
    if (text === undefined) return null;
    const part = this.#checkPart(text);
    this.#crowds.set(code, part);
    return part;
  }

  #checkPart(text: string): RulePart {
    const json = readJson(text);
    if (!json.ok) {
      return { node: null, diagnostics: json.diagnostics, references: [], size: { depth: 1, conditions: 1 } };
    }
    const parsed = parsePartially(json.value);
    const checker = new NodeChecker(this.#environment.tags, this.#zone);
    const node = parsed.root === null ? null : checker.checkNode(parsed.root, 1);
    const diagnostics = sortDiagnostics([...parsed.diagnostics, ...checker.diagnostics], json.value);
    const { references, depth, conditions } = checker;
    return {
      node: diagnostics.length > 0 ? null : node,
      diagnostics,
      references,
      size: { depth, conditions },
    };
  }

  #assemble(root: RulePart, rootCode: string | null): Result<CheckedRule> {
    const diagnostics: Diagnostic[] = [...root.diagnostics];
    const crowds = new Map<string, RuleNode>();
    const sizes = new Map<string, Size>();
    const report = (inCrowd: string | null, found: readonly Diagnostic[]) =>
      diagnostics.push(
        ...found.map((diagnostic) => (inCrowd === null ? diagnostic : { ...diagnostic, crowd: inCrowd })),
      );

    // Depth first, without recursion: a chain of crowds may be longer than the stack.
    const path: { code: string | null; part: RulePart; next: number }[] = [
      { code: rootCode, part: root, next: 0 },
    ];
    for (let frame = path.at(-1); frame !== undefined; frame = path.at(-1)) {
      const inCrowd = frame.code === rootCode ? null : frame.code;
      const reference = frame.part.references[frame.next];
      frame.next += 1;
      if (reference === undefined) {
        path.pop();
        const { size, problems } = measure(frame.part, sizes);
        if (inCrowd === null) report(null, problems);
        else {
          sizes.set(inCrowd, size);
          if (frame.part.node !== null) crowds.set(inCrowd, frame.part.node);
        }
        continue;
      }
      const { code, pointer } = reference;
      const onPath = path.findIndex((above) => above.code === code);
      if (onPath !== -1) {
        const cycle = [...path.slice(onPath).map((above) => above.code), code].join(' → ');
        report(inCrowd, [createDiagnostic('crowd_cycle', pointer, `The crowd refers to itself: ${cycle}.`)]);
      } else if (!sizes.has(code)) {
        const part = this.#getCrowd(code);
        if (part === null) {
          const message = `There is no crowd '${code}'.`;
          report(inCrowd, [createDiagnostic('unknown_crowd', `${pointer}/crowd_code`, message)]);
        } else {
          report(code, part.diagnostics);
          path.push({ code, part, next: 0 });
        }
      }
    }
    if (root.node === null || diagnostics.length > 0) return { ok: false, diagnostics };
    return { ok: true, value: { root: root.node, crowds } };
  }
}

/** The size with crowds put in, and what of it is over the limits. */
function measure(part: RulePart, sizes: ReadonlyMap<string, Size>): { size: Size; problems: Diagnostic[] } {
  let { depth, conditions } = part.size;
  const problems: Diagnostic[] = [];
  for (const { code, pointer, level } of part.references) {
    const size = sizes.get(code);
    if (size === undefined) continue;
    conditions += size.conditions - 1;
    depth = Math.max(depth, level + size.depth);
    if (level + size.depth > MAX_DEPTH) {
      const message = `With the rule of crowd '${code}' put in, this goes down to level ${level + size.depth}.`;
      problems.push(createDiagnostic('too_deep', pointer, message));
    }
  }
  if (conditions > MAX_CONDITIONS && part.size.conditions <= MAX_CONDITIONS) {
    const message = `With the crowds that it refers to, the rule has ${conditions} conditions.`;
    problems.push(createDiagnostic('too_many_conditions', '', message));
  }
  return { size: { depth, conditions }, problems };
}

class NodeChecker {
  readonly diagnostics: Diagnostic[] = [];
  readonly references: CrowdReference[] = [];
  depth = 0;
  conditions = 0;
  readonly #tags: ReadonlyMap<string, Tag>;
  readonly #zone: Zone;

  constructor(tags: ReadonlyMap<string, Tag>, zone: Zone) {
    this.#tags = tags;
    this.#zone = zone;
  }

  /** Null if there is an error in it. */
  checkNode(node: ParsedNode, level: number): RuleNode | null {
    this.depth = Math.max(this.depth, level);
    switch (node.kind) {
      case 'and':
      case 'or': {
        const children = node.children
          .map((child) => this.checkNode(child, level + 1))
          .filter((child) => child !== null);
        return { ...node, children };
      }
      case 'not': {
        const child = this.checkNode(node.child, level + 1);
        return child === null ? null : { ...node, child };
      }
      case 'crowd':
        this.conditions += 1;
        this.references.push({ code: node.crowdCode, pointer: node.pointer, level });
        return node;
      case 'tag':
        this.conditions += 1;
        return this.#checkCondition(node);
    }
  }

  #checkCondition({ tagCode, op, values, pointer }: ParsedTagCondition): TagCondition | null {
    const tag = this.#tags.get(tagCode);
    if (tag === undefined) {
      return this.#fail('unknown_tag', `${pointer}/tag_code`, `There is no tag '${tagCode}'.`);
    }
    const operators = OPERATORS_OF_TYPE[tag.type];
    if (!operators.includes(op)) {
      const message = `'${tagCode}' is ${tag.type}, which has ${operators.join(', ')}, but not ${op}.`;
      return this.#fail('operator_not_for_type', `${pointer}/op`, message);
    }
    const operands = values
      .map((value) => this.#checkValue(tag, value.literal, value.pointer))
      .filter((operand) => operand !== null);
    const [low, high] = operands;
    if (
      (op === 'BETWEEN' || op === 'NOT BETWEEN') &&
      low !== undefined &&
      high !== undefined &&
      this.#areInverted(low, high)
    ) {
      this.#fail('bounds_inverted', `${pointer}/value`, 'The first bound is above the second.');
    }
    return { kind: 'tag', tag, op, operands, pointer };
  }

  #areInverted(low: Operand, high: Operand): boolean {
    return low.kind === 'decimal' && high.kind === 'decimal'
      ? compareDecimals(low.value, high.value) > 0
      : areInverted(low, high, this.#zone);
  }

  #checkValue(tag: Tag, literal: Literal, pointer: string): Operand | null {
    switch (tag.type) {
      case 'enum':
        return literal.kind === 'string' ? literal : this.#refuse(tag, literal, 'texts', pointer);
      case 'numeric':
        return literal.kind === 'decimal'
          ? literal
          : this.#refuse(tag, literal, 'numbers, without quotes', pointer);
      case 'boolean':
        return literal.kind === 'boolean'
          ? literal
          : this.#refuse(tag, literal, 'true and false, without quotes', pointer);
      case 'datetime':
        if (literal.kind === 'string') return this.#checkDatetime(tag, literal.value, pointer);
        if (literal.kind !== 'relative') {
          return this.#refuse(tag, literal, 'datetimes in quotes and {"relative": "-30d"}', pointer);
        }
        return isDayTag(tag) && literal.unit !== 'd'
          ? this.#fail('invalid_relative', pointer, `'${tag.code}' holds days, so only d can be counted.`)
          : literal;
    }
  }

  #checkDatetime(tag: Tag, text: string, pointer: string): Operand | null {
    const day = parseDate(text);
    if (day !== null) return { kind: 'date', day };
    if (isDayTag(tag)) {
      const message =
        parseWrittenInstant(text) === null
          ? `'${shorten(text)}' is not a day.`
          : `'${tag.code}' holds days, and '${shorten(text)}' is a moment.`;
      return this.#fail('invalid_date', pointer, message);
    }
    const micros = parseInstant(text, this.#zone);
    if (micros !== null) return { kind: 'instant', micros };
    return this.#fail('invalid_instant', pointer, `'${shorten(text)}' is neither a day nor a moment.`);
  }

  #refuse(tag: Tag, literal: Literal, wanted: string, pointer: string): null {
    const given = { string: 'a text', decimal: 'a number', boolean: 'a boolean', relative: 'a span of time' };
    const message = `'${tag.code}' is ${tag.type} and compares with ${wanted}, not with ${given[literal.kind]}.`;
    return this.#fail('wrong_value', pointer, message);
  }

  #fail(code: DiagnosticCode, pointer: string, message: string): null {
    this.diagnostics.push(createDiagnostic(code, pointer, message));
    return null;
  }
}
