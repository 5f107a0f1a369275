/** Conditions as trees, and their layout. A leaf is SQL that binds at least as tightly as a comparison. */

export type SqlNode =
  | { readonly kind: 'leaf'; readonly text: string }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly SqlNode[] }
  | { readonly kind: 'not'; readonly part: SqlNode }
  /** The condition where the guard is true, else NULL; the condition is not evaluated where the guard is not true. */
  | { readonly kind: 'guarded'; readonly guard: SqlNode; readonly part: SqlNode }
  | { readonly kind: 'choice'; readonly test: SqlNode; readonly yes: SqlNode; readonly no: SqlNode }
  /** The first that is not NULL. */
  | { readonly kind: 'coalesce'; readonly parts: readonly SqlNode[] };

export function leaf(text: string): SqlNode {
  return { kind: 'leaf', text };
}

export const FALSE = leaf('FALSE');

/** One part stands for itself; groups of the same kind are taken in. */
export function joinNodes(kind: 'and' | 'or', nodes: readonly SqlNode[]): SqlNode {
  const parts = nodes.flatMap((node) => (node.kind === kind ? node.parts : [node]));
  const [only] = parts;
  return only !== undefined && parts.length === 1 ? only : { kind, parts };
}

const LINE_WIDTH = 100;
const INDENT = '  ';

/** SQL text; what does not fit on a line is laid out over several. Line breaks are never put into a leaf. */
export function printSql(node: SqlNode, indent = ''): string {
  const flat = printFlat(node, LINE_WIDTH - indent.length);
  if (flat !== null) return flat;
  const inner = indent + INDENT;
  switch (node.kind) {
    case 'leaf':
      return node.text;
    case 'and':
    case 'or': {
      const word = node.kind === 'and' ? 'AND' : 'OR';
      return node.parts
        .map((part) => (isGroup(part) ? parenthesise(part, indent) : printSql(part, inner)))
        .join(`\n${indent}${word} `);
    }
    case 'not':
      return `NOT ${parenthesise(node.part, indent)}`;
    case 'guarded':
      return `CASE WHEN ${printSql(node.guard, inner)}\n${inner}THEN ${printSql(node.part, inner)}\n${indent}END`;
    case 'choice':
      return `CASE WHEN ${printSql(node.test, inner)}\n${inner}THEN ${printSql(node.yes, inner)}\n${inner}ELSE ${printSql(node.no, inner)}\n${indent}END`;
    case 'coalesce': {
      const parts = node.parts.map((part) => `\n${inner}${printSql(part, inner)}`);
      return `COALESCE(${parts.join(',')}\n${indent})`;
    }
  }
}

export function printOnOneLine(node: SqlNode): string {
  return printFlat(node, Number.POSITIVE_INFINITY) ?? '';
}

function parenthesise(node: SqlNode, indent: string): string {
  const inner = indent + INDENT;
  return `(\n${inner}${printSql(node, inner)}\n${indent})`;
}

function isGroup({ kind }: SqlNode): boolean {
  return kind === 'and' || kind === 'or';
}

/** On one line, or null where that would be longer than this. Stops early, so that printing stays linear. */
function printFlat(node: SqlNode, width: number): string | null {
  if (width <= 0) return null;
  const within = (text: string | null) => (text !== null && text.length <= width ? text : null);
  switch (node.kind) {
    case 'leaf':
      return within(node.text);
    case 'and':
    case 'or':
      return joinFlat(node.parts, node.kind === 'and' ? ' AND ' : ' OR ', width, true);
    case 'not':
      return wrapFlat(node.part, width, (part) => `NOT (${part})`);
    case 'guarded': {
      const guard = printFlat(node.guard, width);
      return guard === null
        ? null
        : wrapFlat(node.part, width, (part) => `CASE WHEN ${guard} THEN ${part} END`);
    }
    case 'choice': {
      const parts = [node.test, node.yes, node.no].map((part) => printFlat(part, width));
      return parts.includes(null)
        ? null
        : within(`CASE WHEN ${parts[0]} THEN ${parts[1]} ELSE ${parts[2]} END`);
    }
    case 'coalesce': {
      const parts = joinFlat(node.parts, ', ', width, false);
      return within(parts === null ? null : `COALESCE(${parts})`);
    }
  }
}

function joinFlat(
  parts: readonly SqlNode[],
  separator: string,
  width: number,
  binds: boolean,
): string | null {
  const texts: string[] = [];
  let left = width;
  for (const part of parts) {
    const text = printFlat(part, left);
    if (text === null) return null;
    texts.push(binds && isGroup(part) ? `(${text})` : text);
    left -= text.length;
  }
  const joined = texts.join(separator);
  return joined.length <= width ? joined : null;
}

function wrapFlat(node: SqlNode, width: number, wrap: (text: string) => string): string | null {
  const text = printFlat(node, width);
  if (text === null) return null;
  const wrapped = wrap(text);
  return wrapped.length <= width ? wrapped : null;
}
