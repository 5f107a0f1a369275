/** What the rule language knows of a tag: a fact about a user, and how its column holds it. */

export type TagType = 'enum' | 'numeric' | 'boolean' | 'datetime';

/** The column's SQL type, as far as a rule's meaning depends on it. FLOAT and DOUBLE are refused (use DECIMAL). */
export type ColumnType =
  /** `padded`: a CHAR, whose value is the text without the blanks that an engine may fill it up with. */
  | { readonly kind: 'text'; readonly padded: boolean }
  /** 1 ≤ precision ≤ 38, 0 ≤ scale ≤ precision. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  /** DECIMAL without a precision, of which every engine makes something else. */
  | { readonly kind: 'number' }
  | { readonly kind: 'integer'; readonly bits: 8 | 16 | 32 | 64 }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'date' }
  /** Civil time of the platform's zone. */
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'timestamptz' };

/** How a text or integer column writes a datetime; native columns have only the first of their kind. */
export type ValueFormat =
  /** A civil day: `1998-06-30`, or a DATE column. */
  | 'date'
  /** A civil day: `19980630`, text or integer. */
  | 'date:yyyymmdd'
  /** A moment: `1998-06-30T10:00:00.5+08:00`, a space for the T, zone optional; or a TIMESTAMP[TZ] column. */
  | 'instant'
  /** A moment: whole seconds since 1970-01-01T00:00:00Z, text or integer. */
  | 'instant:epoch_seconds'
  /** A moment: whole milliseconds since 1970-01-01T00:00:00Z, text or integer. */
  | 'instant:epoch_millis';

export interface Tag {
  readonly code: string;
  readonly type: TagType;
  /** The column. */
  readonly sourceField: string;
  readonly column: ColumnType;
  /** For datetime tags only; null for the others. */
  readonly format: ValueFormat | null;
  /**
   * The table that the column is in; null where none is named. What a rule means does not depend on it, nor on how the
   * tag is calculated; whoever reads values for it must be able to reach them.
   */
  readonly sourceTable: string | null;
  readonly calculation: 'offline' | 'realtime';
}
