/**
 * From a rule to SQL: one compiler, and a dialect for what engines write differently.
 *
 * The SQL is three-valued as the rule is: for every row it is true, false or NULL where the reference evaluator says
 * true, false or unknown. It never raises, whatever a column holds: texts are cast only inside a CASE that has found
 * them well-formed, since CASE alone fixes the order of evaluation.
 */
import type { CheckedRule, EvaluationContext, TagCondition } from '../ast.js';
import type { Decimal } from '../decimal.js';
import type { Result } from '../diagnostics.js';
import { type RangeSet, unite } from '../ranges.js';
import { type ResolvedNode, resolveRule } from '../resolve.js';
import type { Tag } from '../tag.js';
import type { Zone } from '../zone.js';
import { type Axis, guard, hasValue, isInList, textOf } from './axis.js';
import { compileDatetime, hasDatetime } from './datetime.js';
import type { Dialect } from './dialect.js';
import { compileNumeric, numericAxis } from './numeric.js';
import { FALSE, joinNodes, leaf, printOnOneLine, printSql, type SqlNode } from './sql-tree.js';

/**
 * The rule as an expression for a WHERE clause, with the rules of crowds put in where they are referred to. Columns
 * are named by their tags' source fields, unqualified. On one line where that is asked for, literals with line ends in
 * them apart. Fails as resolveRule does: where a relative value has no anchor.
 */
export function compileToSql(
  rule: CheckedRule,
  context: EvaluationContext,
  dialect: Dialect,
  layout: 'indented' | 'one line' = 'indented',
): Result<string> {
  const resolved = resolveRule(rule, context);
  if (!resolved.ok) return resolved;
  const { root, crowds, zone } = resolved.value;
  const compiler = new SqlCompiler(dialect, zone, (code) => {
    const node = compiled.get(code);
    if (node === undefined) throw new Error(`The rule of crowd '${code}' is not there.`);
    return node;
  });
  const compiled = new Map<string, SqlNode>();
  for (const [code, node] of crowds) compiled.set(code, isTrue(compiler.compileNode(node)));
  const print = layout === 'one line' ? printOnOneLine : printSql;
  return { ok: true, value: print(compiler.compileNode(root)) };
}

/** A crowd's membership as a column. */
export interface CrowdColumn {
  readonly crowdCode: string;
  /** TRUE or FALSE, never NULL. It may refer to the columns of crowds that come before it. */
  readonly sql: string;
}

/**
 * Many crowds as columns of one scan, each computed once. The result has every crowd given and every crowd that these
 * reach, each after those that it refers to; what one refers to, it names by `columnOf` (a plain name, quoted here).
 * Where a crowd is both given and reached, it must be the same rule.
 */
export function compileCrowdsToSql(
  rules: ReadonlyMap<string, CheckedRule>,
  context: EvaluationContext,
  dialect: Dialect,
  columnOf: (crowdCode: string) => string,
): Result<readonly CrowdColumn[]> {
  const columns = new Map<string, CrowdColumn>();
  for (const [code, rule] of rules) {
    const resolved = resolveRule(rule, context);
    if (!resolved.ok) return resolved;
    const { root, crowds, zone } = resolved.value;
    const compiler = new SqlCompiler(dialect, zone, (other) => leaf(dialect.identifier(columnOf(other))));
    for (const [crowdCode, node] of [...crowds, [code, root] as const]) {
      if (columns.has(crowdCode)) continue;
      columns.set(crowdCode, { crowdCode, sql: printSql(isTrue(compiler.compileNode(node))) });
    }
  }
  return { ok: true, value: [...columns.values()] };
}

/** False where the condition is unknown. */
function isTrue(node: SqlNode): SqlNode {
  if (node.kind === 'coalesce' && node.parts.at(-1) === FALSE) return node;
  return { kind: 'coalesce', parts: [node, FALSE] };
}

class SqlCompiler {
  readonly #dialect: Dialect;
  readonly #zone: Zone;
  readonly #crowd: (crowdCode: string) => SqlNode;

  constructor(dialect: Dialect, zone: Zone, crowd: (crowdCode: string) => SqlNode) {
    this.#dialect = dialect;
    this.#zone = zone;
    this.#crowd = crowd;
  }

  compileNode(node: ResolvedNode): SqlNode {
    switch (node.kind) {
      case 'and':
      case 'or':
        return joinNodes(
          node.kind,
          node.children.map((child) => this.compileNode(child)),
        );
      case 'not':
        return { kind: 'not', part: this.compileNode(node.child) };
      case 'crowd': {
        const isMember = this.#crowd(node.crowdCode);
        return node.negated ? { kind: 'not', part: isMember } : isMember;
      }
      case 'days':
        return this.#compileDatetime(node.tag, unite(node.ranges.map(toBigInts)));
      case 'instants':
        return this.#compileDatetime(node.tag, node.ranges);
      case 'tag':
        return this.#compileCondition(node);
    }
  }

  #compileDatetime(tag: Tag, ranges: RangeSet<bigint>): SqlNode {
    return compileDatetime(tag, ranges, this.#dialect, this.#zone);
  }

  #compileCondition(condition: TagCondition): SqlNode {
    const { tag, op } = condition;
    if (op === 'IS NOT NULL') return this.#hasValue(tag);
    if (op === 'IS NULL') return this.#hasNoValue(tag);
    switch (tag.type) {
      case 'enum':
        return this.#compileEnum(condition);
      case 'numeric':
        return compileNumeric(condition, condition.operands.map(decimalOf), this.#dialect);
      case 'boolean':
        return this.#compileBoolean(condition);
      case 'datetime':
        throw new Error(`The condition on ${tag.code} was not resolved.`);
    }
  }

  #hasValue(tag: Tag): SqlNode {
    return tag.type === 'datetime'
      ? hasDatetime(tag, this.#dialect, this.#zone)
      : hasValue<never>(this.#axisOf(tag));
  }

  #hasNoValue(tag: Tag): SqlNode {
    if (tag.type !== 'datetime') {
      const { guards, value } = this.#axisOf(tag);
      if (guards.length === 0) return leaf(`${value} IS NULL`);
    }
    return { kind: 'not', part: this.#hasValue(tag) };
  }

  #axisOf(tag: Tag): Axis<never> {
    switch (tag.type) {
      case 'numeric':
        return numericAxis(tag, this.#dialect);
      case 'boolean':
        return booleanAxis(tag, this.#dialect);
      default:
        return enumAxis(tag, this.#dialect);
    }
  }

  #compileEnum({ tag, op, operands }: TagCondition): SqlNode {
    const axis = enumAxis(tag, this.#dialect);
    const values = operands.map(stringOf);
    const [first = ''] = values.map(axis.literal);
    switch (op) {
      case 'STARTS WITH':
        return leaf(this.#dialect.startsWith(axis.value, first));
      case 'CONTAINS':
        return leaf(this.#dialect.contains(axis.value, first));
      default:
        return isInList(axis, this.#dialect, values, op === '!=' || op === 'NOT IN');
    }
  }

  #compileBoolean({ tag, op, operands }: TagCondition): SqlNode {
    const axis = booleanAxis(tag, this.#dialect);
    const [operand] = operands;
    const wanted = (operand?.kind === 'boolean' && operand.value) === (op === '=');
    if (tag.column.kind === 'boolean') return leaf(`${axis.value} = ${axis.literal(wanted)}`);
    return guard(axis, leaf(`${axis.value} IN (${wanted ? TRUE_TEXTS : FALSE_TEXTS})`));
  }
}

const TRUE_TEXTS = "'true', '1'";
const FALSE_TEXTS = "'false', '0'";

function booleanAxis(tag: Tag, dialect: Dialect): Axis<boolean> {
  const value = textOf(tag, dialect);
  const guards = tag.column.kind === 'boolean' ? [] : [leaf(`${value} IN (${TRUE_TEXTS}, ${FALSE_TEXTS})`)];
  return { guards, value, literal: dialect.boolean };
}

function enumAxis(tag: Tag, dialect: Dialect): Axis<string> {
  return { guards: [], value: textOf(tag, dialect), literal: dialect.string };
}

function decimalOf(operand: TagCondition['operands'][number]): Decimal {
  if (operand.kind !== 'decimal') throw new Error(`A ${operand.kind} is no number.`);
  return operand.value;
}

function stringOf(operand: TagCondition['operands'][number]): string {
  if (operand.kind !== 'string') throw new Error(`A ${operand.kind} is no text.`);
  return operand.value;
}

function toBigInts({ from, to }: { readonly from: number | null; readonly to: number | null }) {
  return { from: from === null ? null : BigInt(from), to: to === null ? null : BigInt(to) };
}
