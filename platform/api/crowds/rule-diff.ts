/** What differs between two rules, condition by condition: order and ways of writing do not count. */
import { canonicalText, type ParsedNode } from '../../../rules/index.js';

export interface RuleChange {
  readonly change: 'added' | 'removed' | 'changed';
  /** Where it stands in the newer rule; for what was removed, in the older one (RFC 6901). */
  readonly pointer: string;
  /** Canonical JSON texts; null where there is none. */
  readonly from: string | null;
  readonly to: string | null;
}

/** Empty for rules that are the same but for how they are written. */
export function diffRules(from: ParsedNode, to: ParsedNode): RuleChange[] {
  if (canonicalText(from) === canonicalText(to)) return [];
  const before = childrenOf(from);
  const after = childrenOf(to);
  if (from.kind !== to.kind || before === null || after === null) return [changed(from, to)];
  const { removed, added } = withoutCommon(before, after);
  const pairs: RuleChange[] = [];
  const unpaired = [...added];
  const gone = removed.filter((old) => {
    const index = unpaired.findIndex((candidate) => isAbout(candidate, old));
    const [partner] = index === -1 ? [] : unpaired.splice(index, 1);
    if (partner !== undefined) pairs.push(...diffRules(old, partner));
    return partner === undefined;
  });
  return [
    ...gone.map((node) => ({
      change: 'removed' as const,
      pointer: node.pointer,
      from: canonicalText(node),
      to: null,
    })),
    ...pairs,
    ...unpaired.map((node) => ({
      change: 'added' as const,
      pointer: node.pointer,
      from: null,
      to: canonicalText(node),
    })),
  ];
}

function changed(from: ParsedNode, to: ParsedNode): RuleChange {
  return { change: 'changed', pointer: to.pointer, from: canonicalText(from), to: canonicalText(to) };
}

function childrenOf(node: ParsedNode): readonly ParsedNode[] | null {
  switch (node.kind) {
    case 'and':
    case 'or':
      return node.children;
    case 'not':
      return [node.child];
    default:
      return null;
  }
}

/** Children that stand on both sides cancel out, each once. */
function withoutCommon(
  before: readonly ParsedNode[],
  after: readonly ParsedNode[],
): { removed: ParsedNode[]; added: ParsedNode[] } {
  const open = new Map<string, number>();
  for (const node of before) count(open, canonicalText(node), 1);
  const added = after.filter((node) => !take(open, canonicalText(node)));
  const removed = before.filter((node) => take(open, canonicalText(node)));
  return { removed, added };
}

function count(counts: Map<string, number>, key: string, by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function take(counts: Map<string, number>, key: string): boolean {
  if ((counts.get(key) ?? 0) === 0) return false;
  count(counts, key, -1);
  return true;
}

/** Would a person say that the one became the other? */
function isAbout(a: ParsedNode, b: ParsedNode): boolean {
  if (a.kind === 'tag') return b.kind === 'tag' && a.tagCode === b.tagCode;
  if (a.kind === 'crowd') return b.kind === 'crowd' && a.crowdCode === b.crowdCode;
  return a.kind === b.kind;
}
