/** What can be wrong with a rule, a tag or a row: values, not exceptions, and all of them at once. */

export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: 'error';
  /** Where, inside the JSON that was read (RFC 6901). */
  readonly pointer: string;
  /** The crowd whose rule the pointer is into, where it is not the rule itself that was read. */
  readonly crowd?: string;
  /** What is wrong there. */
  readonly message: string;
  /** What to do. */
  readonly hint: string;
}

export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Each code with the hint that goes with it. */
export const DIAGNOSTIC_HINTS = {
  json_syntax: 'Write valid JSON (RFC 8259).',
  duplicate_key: 'Keep one of them: JSON readers differ in which they take.',
  unknown_key: 'Remove it, or correct its spelling.',
  missing_key: 'Add it.',
  wrong_shape:
    'A node is {"logic","conditions"}, {"tag_code","op","value"} or {"crowd_code","op"}; see rules/rule.schema.json.',
  invalid_logic: 'Write "AND", "OR" or "NOT", in capitals.',
  empty_group: 'Give it at least one condition: an empty group would mean everyone, or no one.',
  not_takes_one: 'NOT takes exactly one condition; put several into a group.',
  invalid_code: 'A code is a small letter, then up to 49 small letters, digits and underscores.',
  unknown_operator: 'Write an operator of the list, in capitals where it has letters.',
  too_deep: 'Flatten the rule: 32 levels at the most, those of the crowds that it refers to included.',
  too_many_conditions: 'Use 10,000 conditions at the most, those of the crowds that it refers to included.',
  too_many_values: 'Put at most 100,000 values into a list.',
  unexpected_value: 'Remove "value": this operator takes none.',
  null_value: 'To ask whether there is a value, use IS NULL or IS NOT NULL.',
  empty_list: 'Put at least one value into the list.',
  empty_text: 'Give at least one character: every text contains the empty one.',
  wrong_value: 'Give a value that the operator and the tag take.',
  invalid_text: 'Remove U+0000 and unpaired surrogates: no engine can hold them.',
  invalid_number: 'Use at most 38 digits, before and after the point together.',
  invalid_date: 'Write a day that exists as "YYYY-MM-DD", years 0001 to 9999.',
  invalid_instant:
    'Write "YYYY-MM-DDTHH:MM:SS+08:00" (seconds, fraction and zone may be left out), years 0001 to 9999 in UTC.',
  invalid_relative:
    'Write a whole number and d, h or m, as "-30d"; at most 36500d, 876000h or 52560000m either way.',
  bounds_inverted: 'Write the smaller bound first.',
  unknown_tag: 'Register the tag, or correct its code.',
  operator_not_for_type: 'Choose an operator that the type of the tag has.',
  unknown_crowd: 'Create that crowd first, or correct its code.',
  crowd_cycle: 'Take one of these references out.',
  anchor_required: 'Give the business date (dt) or the moment (at) that relative values count from.',
  anchor_out_of_range: 'Relative values must stay within the years 0001 to 9999.',
  invalid_tag: 'Correct this field of the tag.',
  duplicate_tag: 'Keep one tag of that code.',
  float_column: 'Store DECIMAL: binary floats cannot hold 0.1, so engines would differ.',
  invalid_row:
    'A row is {"uid": "…", "tags": {"code": value, …}}; values are texts, numbers, true, false or null.',
} as const satisfies Record<string, string>;

export type DiagnosticCode = keyof typeof DIAGNOSTIC_HINTS;

export function createDiagnostic(
  code: DiagnosticCode,
  pointer: string,
  message: string,
  hint: string = DIAGNOSTIC_HINTS[code],
): Diagnostic {
  return { code, severity: 'error', pointer, message, hint };
}

/** `/conditions/0/op unknown_operator There is no … — Write an operator …`. The pointer of the whole is empty: `""`. */
export function formatDiagnostic({ code, pointer, crowd, message, hint }: Diagnostic): string {
  const where = `${crowd === undefined ? '' : `crowd ${crowd} `}${pointer === '' ? '""' : pointer}`;
  return `${where} ${code} ${message} — ${hint}`;
}
