/** The public face of the rule language: what other rooms import. */
export * from './ast.js';
export { canonicalText } from './canonical.js';
export { checkRule, OPERATORS_OF_TYPE, RuleChecker, type RuleEnvironment } from './check.js';
export { formatDate, formatInstant, parseDate } from './civil.js';
export { CompiledRules, type DecodedRow } from './compile.js';
export { compareDecimals, type Decimal, formatDecimal, parseDecimal } from './decimal.js';
export {
  createDiagnostic,
  DIAGNOSTIC_HINTS,
  type Diagnostic,
  type DiagnosticCode,
  formatDiagnostic,
  type Result,
} from './diagnostics.js';
export { evaluateRule } from './evaluate.js';
export { type Explanation, explainRule, formatExplanation, truthName } from './explain.js';
export { JsonSyntaxError, type JsonValue, lineAt, offsetOf, parseJson, readJson } from './json.js';
export { MAX_CONDITIONS, MAX_DEPTH, MAX_LIST_LENGTH, type ParsedNode, parseRule } from './parse.js';
export { parseRow, type UserRow } from './parse-row.js';
export { createTag, parseColumnType, parseTags, type TagFields } from './parse-tags.js';
export type { Range, RangeSet } from './ranges.js';
export {
  type DayCondition,
  type InstantCondition,
  type ResolvedNode,
  type ResolvedRule,
  resolveRule,
} from './resolve.js';
export type * from './tag.js';
export { isCode } from './text.js';
export { decodeValue, isDayTag, parseInstant, type Row, type Value } from './value.js';
export { getZone, isZone, type Zone } from './zone.js';
