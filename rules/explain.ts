/** Why a rule is true, false or unknown for one row: its tree, with what was seen at each leaf. */
import type { CheckedRule, EvaluationContext, Operand, RuleNode, TagCondition, Truth } from './ast.js';
import { formatDate, formatInstant } from './civil.js';
import { formatDecimal } from './decimal.js';
import { Evaluation } from './evaluate.js';
import { shorten } from './json.js';
import type { Row, Value } from './value.js';

interface Explained {
  /** Where it stands in the rule that holds it (RFC 6901). */
  readonly pointer: string;
  readonly truth: Truth;
  /** Does the outcome rest on it? So for all parts of a true AND, but only for the false parts of a false one. */
  readonly decisive: boolean;
}

export interface ExplainedGroup extends Explained {
  readonly kind: 'and' | 'or' | 'not';
  readonly children: readonly Explanation[];
}

export interface ExplainedCondition extends Explained {
  readonly kind: 'tag';
  readonly tagCode: string;
  readonly op: string;
  /** As written in canonical form; of long lists the beginning. Relative ones with what they come to. */
  readonly operands: readonly string[];
  /** How many operands there are, listed or not. */
  readonly operandCount: number;
  /** The column that the tag is read from. */
  readonly column: string;
  /** The text of what the column holds; null for NULL. */
  readonly raw: string | null;
  /** The value that was compared, in canonical form; null where there is none. */
  readonly value: string | null;
}

export interface ExplainedCrowd extends Explained {
  readonly kind: 'crowd';
  readonly crowdCode: string;
  readonly negated: boolean;
  /** That crowd's rule on the same row. */
  readonly rule: Explanation;
}

export type Explanation = ExplainedGroup | ExplainedCondition | ExplainedCrowd;

const MOST_OPERANDS_SHOWN = 10;

/**
 * Explains the rule's truth for a row. A crowd's rule is explained where it is first referred to and again wherever
 * else it is, which the limit on conditions bounds. Throws as evaluateRule does.
 */
export function explainRule(rule: CheckedRule, row: Row, context: EvaluationContext): Explanation {
  return new Explainer(rule, row, context).explain(rule.root, true);
}

/** One line a node, indented: `× false    age > 18: 17 (column age)`; `*` marks what the outcome rests on. */
export function formatExplanation(explanation: Explanation, indent = ''): string {
  const mark = `${explanation.decisive ? '*' : ' '} ${truthName(explanation.truth).padEnd(7)} ${indent}`;
  const inner = `${indent}  `;
  switch (explanation.kind) {
    case 'tag':
      return mark + describeCondition(explanation);
    case 'crowd': {
      const op = explanation.negated ? 'NOT IN CROWD' : 'IN CROWD';
      return `${mark}${op} ${explanation.crowdCode}, whose rule is\n${formatExplanation(explanation.rule, inner)}`;
    }
    default: {
      const children = explanation.children.map((child) => formatExplanation(child, inner));
      return [mark + explanation.kind.toUpperCase(), ...children].join('\n');
    }
  }
}

/** `true`, `false` or `unknown`. */
export function truthName(truth: Truth): 'true' | 'false' | 'unknown' {
  return truth === null ? 'unknown' : truth ? 'true' : 'false';
}

function describeCondition({
  tagCode,
  op,
  operands,
  operandCount,
  column,
  raw,
  value,
}: ExplainedCondition): string {
  const more = operandCount > operands.length ? [`… ${operandCount - operands.length} more`] : [];
  const shown = [...operands, ...more].join(op.endsWith('BETWEEN') ? ' and ' : ', ');
  const condition = `${tagCode} ${op}${shown === '' ? '' : ` ${op.endsWith('IN') ? `(${shown})` : shown}`}`;
  const seen = value === null ? 'NULL' : value;
  const source =
    raw === null
      ? `column ${column} is NULL`
      : value === null
        ? `column ${column} holds ${JSON.stringify(shorten(raw))}, which is no value of this tag`
        : `column ${column}`;
  return `${condition}: ${seen} (${source})`;
}

class Explainer {
  readonly #rule: CheckedRule;
  readonly #row: Row;
  readonly #evaluation: Evaluation;

  constructor(rule: CheckedRule, row: Row, context: EvaluationContext) {
    this.#rule = rule;
    this.#row = row;
    this.#evaluation = new Evaluation(rule, row, context);
  }

  explain(node: RuleNode, decisive: boolean): Explanation {
    const truth = this.#evaluation.truthOf(node);
    const { pointer } = node;
    switch (node.kind) {
      case 'and':
      case 'or': {
        // An AND that is true, or an OR that is false, rests on every part; else on the parts that are as it is.
        const restsOnAll = truth === (node.kind === 'and');
        const children = node.children.map((child) =>
          this.explain(child, decisive && (restsOnAll || this.#evaluation.truthOf(child) === truth)),
        );
        return { kind: node.kind, pointer, truth, decisive, children };
      }
      case 'not':
        return { kind: 'not', pointer, truth, decisive, children: [this.explain(node.child, decisive)] };
      case 'crowd': {
        const { crowdCode, negated } = node;
        const crowd = this.#rule.crowds.get(crowdCode);
        if (crowd === undefined) throw new Error(`The rule of crowd ${crowdCode} is missing.`);
        return {
          kind: 'crowd',
          pointer,
          truth,
          decisive,
          crowdCode,
          negated,
          rule: this.explain(crowd, decisive),
        };
      }
      case 'tag':
        return this.#explainCondition(node, truth, decisive);
    }
  }

  #explainCondition(condition: TagCondition, truth: Truth, decisive: boolean): ExplainedCondition {
    const { tag, op, pointer } = condition;
    const value = this.#evaluation.valueOf(condition);
    const shown = { ...condition, operands: condition.operands.slice(0, MOST_OPERANDS_SHOWN) };
    const absolute = this.#evaluation.operandsOf(shown);
    return {
      kind: 'tag',
      pointer,
      truth,
      decisive,
      tagCode: tag.code,
      op,
      operands: shown.operands.map((operand, index) => formatOperand(operand, absolute[index])),
      operandCount: condition.operands.length,
      column: tag.sourceField,
      raw: this.#row.get(tag.code) ?? null,
      value: value === null ? null : formatValue(value),
    };
  }
}

function formatOperand(operand: Operand, absolute: Operand | undefined): string {
  switch (operand.kind) {
    case 'string':
      return JSON.stringify(operand.value);
    case 'decimal':
      return formatDecimal(operand.value);
    case 'boolean':
      return String(operand.value);
    case 'date':
      return formatDate(operand.day);
    case 'instant':
      return formatInstant(operand.micros);
    case 'relative': {
      const comesTo =
        absolute === undefined || absolute.kind === 'relative'
          ? ''
          : ` = ${formatOperand(absolute, absolute)}`;
      return `${operand.amount}${operand.unit}${comesTo}`;
    }
  }
}

function formatValue(value: Value): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return formatDate(value);
    case 'bigint':
      return formatInstant(value);
    case 'object':
      return formatDecimal(value);
    default:
      return String(value);
  }
}
