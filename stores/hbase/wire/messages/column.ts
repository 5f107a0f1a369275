/**
 * Client.proto and HBase.proto of HBase 2.6.4:
 *
 *   message Column {
 *     required bytes family = 1;
 *     repeated bytes qualifier = 2;
 *   }
 *   message TimeRange {
 *     optional uint64 from = 1;
 *     optional uint64 to = 2;
 *   }
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';

/** Some columns of a family; all of them when no qualifier is named. */
export interface Columns {
  readonly family: ByteString;
  readonly qualifiers: readonly ByteString[];
}

/** Cells with fromMs ≤ timestamp < toMs. */
export interface TimeRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export function writeColumns(writer: ProtoWriter, field: number, columns: readonly Columns[]): void {
  for (const { family, qualifiers } of columns) {
    const start = writer.beginMessage(field);
    writer.bytes(1, family);
    for (const qualifier of qualifiers) writer.bytes(2, qualifier);
    writer.end(start);
  }
}

export function writeTimeRange(writer: ProtoWriter, field: number, { fromMs, toMs }: TimeRange): void {
  const start = writer.beginMessage(field);
  writer.uint(1, fromMs);
  writer.uint(2, toMs);
  writer.end(start);
}
