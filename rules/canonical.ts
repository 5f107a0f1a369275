/**
 * The one text of all rules that differ only in how they are written: keys in a fixed order, no white space, numbers
 * and spans in their shortest form, the children of AND and OR and the values of lists sorted and each there once.
 * Two rules with the same text mean the same; hashes and comparisons of versions are taken of it.
 */
import { formatDecimal } from './decimal.js';
import type { Literal, ParsedNode, ParsedTagCondition } from './parse.js';

/** A rule's canonical JSON text. */
export function canonicalText(node: ParsedNode): string {
  switch (node.kind) {
    case 'and':
    case 'or':
      return group(node.kind, sortedOnce(node.children.map(canonicalText)));
    case 'not':
      return group('not', [canonicalText(node.child)]);
    case 'crowd':
      return `{"crowd_code":"${node.crowdCode}","op":"${node.negated ? 'NOT IN CROWD' : 'IN CROWD'}"}`;
    case 'tag':
      return `{"tag_code":"${node.tagCode}","op":"${node.op}"${valueMember(node)}}`;
  }
}

function group(logic: 'and' | 'or' | 'not', children: readonly string[]): string {
  return `{"logic":"${logic.toUpperCase()}","conditions":[${children.join(',')}]}`;
}

function valueMember({ op, values }: ParsedTagCondition): string {
  const texts = values.map(({ literal }) => literalText(literal));
  switch (op) {
    case 'IS NULL':
    case 'IS NOT NULL':
      return '';
    case 'IN':
    case 'NOT IN':
      return `,"value":[${sortedOnce(texts).join(',')}]`;
    case 'BETWEEN':
    case 'NOT BETWEEN':
      return `,"value":[${texts.join(',')}]`;
    default:
      return `,"value":${texts.join('')}`;
  }
}

function literalText(literal: Literal): string {
  switch (literal.kind) {
    case 'string':
      return JSON.stringify(literal.value);
    case 'decimal':
      return formatDecimal(literal.value);
    case 'boolean':
      return String(literal.value);
    case 'relative':
      return `{"relative":"${literal.amount}${literal.unit}"}`;
  }
}

/** In the order of UTF-16 units, which no locale changes. */
function sortedOnce(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
