/**
 * The fast evaluator: rules become closures over slots of one flat array. A row is decoded once for all rules that are
 * compiled together, whatever they have in common; a crowd that several of them refer to is evaluated once per row.
 */
import type { TagCondition, Truth } from './ast.js';
import { compareDecimals, type Decimal } from './decimal.js';
import { includes } from './ranges.js';
import type { DayCondition, InstantCondition, ResolvedNode, ResolvedRule } from './resolve.js';
import type { Tag } from './tag.js';
import { decodeValue, type Row, type Value } from './value.js';
import type { Zone } from './zone.js';

/** A row made ready for the rules that were compiled together; of no use for others. */
export interface DecodedRow {
  readonly values: readonly (Value | null)[];
  /** What was found of the crowds so far. */
  readonly crowds: (boolean | undefined)[];
}

type Test = (row: DecodedRow) => Truth;

/** Rules of one environment (so that a crowd's code means the same rule in all of them) and one zone. */
export class CompiledRules {
  /** The tags that the rules read, each once. */
  readonly tags: readonly Tag[];
  readonly #tests: readonly Test[];
  readonly #crowdCount: number;
  readonly #zone: Zone | null;

  constructor(rules: readonly ResolvedRule[]) {
    const compiler = new Compiler();
    this.#tests = rules.map((rule) => compiler.compileRule(rule));
    this.tags = compiler.tags;
    this.#crowdCount = compiler.crowdCount;
    this.#zone = rules[0]?.zone ?? null;
    if (rules.some(({ zone }) => zone !== this.#zone)) {
      throw new Error('Rules that are compiled together must be of one zone.');
    }
  }

  decodeRow(row: Row): DecodedRow {
    const zone = this.#zone;
    return {
      values: zone === null ? [] : this.tags.map((tag) => decodeValue(tag, row.get(tag.code), zone)),
      crowds: new Array<undefined>(this.#crowdCount).fill(undefined),
    };
  }

  /** The truth of the rule at that place in the list that was compiled. */
  evaluate(rule: number, row: DecodedRow): Truth {
    const test = this.#tests[rule];
    if (test === undefined) throw new RangeError(`There is no rule ${rule}.`);
    return test(row);
  }
}

/** A bit per outcome of comparing value and operand: less 1, equal 2, greater 4. */
const ACCEPTED = { '=': 2, '!=': 5, '>': 4, '>=': 6, '<': 1, '<=': 3 } as const;

class Compiler {
  readonly tags: Tag[] = [];
  readonly #slots = new Map<string, number>();
  readonly #crowds = new Map<string, Test>();

  get crowdCount(): number {
    return this.#crowds.size;
  }

  compileRule(rule: ResolvedRule): Test {
    for (const [code, node] of rule.crowds) {
      if (!this.#crowds.has(code)) this.#crowds.set(code, this.#compileCrowd(node));
    }
    return this.#compile(rule.root);
  }

  #compileCrowd(node: ResolvedNode): Test {
    const test = this.#compile(node);
    // After the crowds that it refers to, which were numbered while compiling others.
    const slot = this.#crowds.size;
    return (row) => {
      let isIn = row.crowds[slot];
      if (isIn === undefined) {
        isIn = test(row) === true;
        row.crowds[slot] = isIn;
      }
      return isIn;
    };
  }

  #compile(node: ResolvedNode): Test {
    switch (node.kind) {
      case 'and':
        return compileAnd(node.children.map((child) => this.#compile(child)));
      case 'or':
        return compileOr(node.children.map((child) => this.#compile(child)));
      case 'not': {
        const test = this.#compile(node.child);
        return (row) => {
          const truth = test(row);
          return truth === null ? null : !truth;
        };
      }
      case 'crowd': {
        const test = this.#crowds.get(node.crowdCode);
        if (test === undefined) throw new Error(`The rule of crowd ${node.crowdCode} is missing.`);
        return node.negated ? (row) => !test(row) : test;
      }
      case 'days':
      case 'instants':
        return compileRanges(node, this.#slotOf(node.tag));
      case 'tag':
        return compileCondition(node, this.#slotOf(node.tag));
    }
  }

  #slotOf(tag: Tag): number {
    const known = this.#slots.get(tag.code);
    if (known !== undefined) return known;
    this.#slots.set(tag.code, this.tags.length);
    return this.tags.push(tag) - 1;
  }
}

function compileAnd(tests: readonly Test[]): Test {
  return (row) => {
    let truth: Truth = true;
    for (const test of tests) {
      const one = test(row);
      if (one === false) return false;
      if (one === null) truth = null;
    }
    return truth;
  };
}

function compileOr(tests: readonly Test[]): Test {
  return (row) => {
    let truth: Truth = false;
    for (const test of tests) {
      const one = test(row);
      if (one === true) return true;
      if (one === null) truth = null;
    }
    return truth;
  };
}

function compileRanges(node: DayCondition | InstantCondition, slot: number): Test {
  // Which kind of value a slot holds is settled by its tag; the casts below only say so.
  if (node.kind === 'instants') {
    const { ranges } = node;
    return (row) => {
      const micros = row.values[slot] as bigint | null;
      return micros === null ? null : includes(ranges, micros);
    };
  }
  const { ranges } = node;
  return (row) => {
    const day = row.values[slot] as number | null;
    return day === null ? null : includes(ranges, day);
  };
}

function compileCondition(condition: TagCondition, slot: number): Test {
  const { op, tag, operands } = condition;
  if (op === 'IS NULL') return (row) => row.values[slot] === null;
  if (op === 'IS NOT NULL') return (row) => row.values[slot] !== null;
  switch (tag.type) {
    case 'numeric':
      return compileNumeric(
        condition,
        operands.map((operand) => {
          if (operand.kind !== 'decimal') throw new Error(`A ${operand.kind} is no number.`);
          return operand.value;
        }),
        slot,
      );
    case 'boolean':
    case 'enum':
      return compileEquality(
        condition,
        operands.map((operand) => {
          if (operand.kind !== 'string' && operand.kind !== 'boolean') {
            throw new Error(`A ${operand.kind} is no ${tag.type}.`);
          }
          return operand.value;
        }),
        slot,
      );
    case 'datetime':
      throw new Error('A comparison of a datetime was not resolved.');
  }
}

function compileEquality({ op }: TagCondition, operands: readonly (string | boolean)[], slot: number): Test {
  const [first = ''] = operands;
  switch (op) {
    case '=':
    case '!=': {
      const wanted = op === '=';
      return (row) => {
        const value = row.values[slot];
        return value === null ? null : (value === first) === wanted;
      };
    }
    case 'IN':
    case 'NOT IN': {
      const values: ReadonlySet<unknown> = new Set(operands);
      const wanted = op === 'IN';
      return (row) => {
        const value = row.values[slot];
        return value === null ? null : values.has(value) === wanted;
      };
    }
    // Operands have no unpaired surrogates, so units of UTF-16 match where code points do.
    case 'STARTS WITH': {
      const text = String(first);
      return (row) => {
        const value = row.values[slot] as string | null;
        return value === null ? null : value.startsWith(text);
      };
    }
    case 'CONTAINS': {
      const text = String(first);
      return (row) => {
        const value = row.values[slot] as string | null;
        return value === null ? null : value.includes(text);
      };
    }
    default:
      throw new Error(`${op} does not compare texts or booleans.`);
  }
}

function compileNumeric({ op }: TagCondition, operands: readonly Decimal[], slot: number): Test {
  const [first, second] = operands;
  if (first === undefined) throw new Error(`${op} has no operand.`);
  switch (op) {
    case '=':
    case '!=':
    case '>':
    case '>=':
    case '<':
    case '<=': {
      const accepted = ACCEPTED[op];
      const { approx } = first;
      return (row) => {
        const value = row.values[slot] as Decimal | null;
        if (value === null) return null;
        if (value.approx < approx) return (accepted & 1) !== 0;
        if (value.approx > approx) return (accepted & 4) !== 0;
        const order = compareDecimals(value, first);
        return (accepted & (order === 0 ? 2 : order < 0 ? 1 : 4)) !== 0;
      };
    }
    case 'BETWEEN':
    case 'NOT BETWEEN': {
      if (second === undefined) throw new Error(`${op} has one operand.`);
      const wanted = op === 'BETWEEN';
      return (row) => {
        const value = row.values[slot] as Decimal | null;
        if (value === null) return null;
        return (compareDecimals(value, first) >= 0 && compareDecimals(value, second) <= 0) === wanted;
      };
    }
    case 'IN':
    case 'NOT IN': {
      const byApprox = new Map<number, Decimal[]>();
      for (const operand of operands) {
        const near = byApprox.get(operand.approx);
        if (near === undefined) byApprox.set(operand.approx, [operand]);
        else near.push(operand);
      }
      const wanted = op === 'IN';
      return (row) => {
        const value = row.values[slot] as Decimal | null;
        if (value === null) return null;
        const near = byApprox.get(value.approx);
        return (near?.some((one) => compareDecimals(value, one) === 0) ?? false) === wanted;
      };
    }
    default:
      throw new Error(`${op} does not compare numbers.`);
  }
}
