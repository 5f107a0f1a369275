/**
 * A rule after the checker: tags resolved, values typed. Evaluators, `explain` and the SQL compiler start from here,
 * so what one of them must decide about a rule's meaning, all of them find decided.
 */
import type { Decimal } from './decimal.js';
import type { Tag } from './tag.js';

export const TAG_OPERATORS = [
  '=',
  '!=',
  '>',
  '>=',
  '<',
  '<=',
  'BETWEEN',
  'NOT BETWEEN',
  'IN',
  'NOT IN',
  'STARTS WITH',
  'CONTAINS',
  'IS NULL',
  'IS NOT NULL',
] as const;
export type TagOperator = (typeof TAG_OPERATORS)[number];

/** A value written in a rule. */
export type Operand =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'decimal'; readonly value: Decimal }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** Days since 1970-01-01; years 0001 to 9999. */
  | { readonly kind: 'date'; readonly day: number }
  /** Microseconds since 1970-01-01T00:00:00Z; years 0001 to 9999 in UTC. */
  | { readonly kind: 'instant'; readonly micros: bigint }
  /** An offset from the anchor: civil days, hours or minutes. On a date tag only days. */
  | { readonly kind: 'relative'; readonly amount: number; readonly unit: 'd' | 'h' | 'm' };

export interface TagCondition {
  readonly kind: 'tag';
  readonly tag: Tag;
  readonly op: TagOperator;
  /** None for IS [NOT] NULL, low and high for [NOT] BETWEEN, one or more for [NOT] IN, else one. */
  readonly operands: readonly Operand[];
  /** Where it stands in the rule's JSON (RFC 6901). */
  readonly pointer: string;
}

/** Two-valued: is the *current rule* of that crowd true on the same row at the same anchor? */
export interface CrowdCondition {
  readonly kind: 'crowd';
  readonly crowdCode: string;
  readonly negated: boolean;
  readonly pointer: string;
}

export type RuleNode =
  | { readonly kind: 'and'; readonly children: readonly RuleNode[]; readonly pointer: string }
  | { readonly kind: 'or'; readonly children: readonly RuleNode[]; readonly pointer: string }
  | { readonly kind: 'not'; readonly child: RuleNode; readonly pointer: string }
  | TagCondition
  | CrowdCondition;

/** A rule that passed every check, with the checked rules of all crowds it reaches, each before those that use it. */
export interface CheckedRule {
  readonly root: RuleNode;
  readonly crowds: ReadonlyMap<string, RuleNode>;
}

/** SQL's three truth values; null is unknown. A user is in a crowd if and only if the rule is true. */
export type Truth = true | false | null;

/** The moment that relative values count from; given, never the wall clock. */
export type Anchor =
  /** Offline: the business date, as days since 1970-01-01. Instants count from the end of that day. */
  | { readonly kind: 'dt'; readonly day: number }
  /** Online: the event's time, in microseconds since 1970-01-01T00:00:00Z. */
  | { readonly kind: 'at'; readonly micros: bigint };

/** What a rule is evaluated under. `zone` is an IANA name; the anchor is null where none was given. */
export interface EvaluationContext {
  readonly zone: string;
  readonly anchor: Anchor | null;
}
