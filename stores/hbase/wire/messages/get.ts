/**
 * Client.proto of HBase 2.6.4:
 *
 *   message Get {
 *     required bytes row = 1;
 *     repeated Column column = 2;
 *     optional TimeRange time_range = 5;
 *     optional uint32 max_versions = 6 [default = 1];
 *   }
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';
import { type Columns, type TimeRange, writeColumns, writeTimeRange } from './column.js';

/** Which cells of a row. Without columns: all. */
export interface Projection {
  readonly columns?: readonly Columns[];
  readonly timeRange?: TimeRange;
}

export function writeGet(writer: ProtoWriter, field: number, row: ByteString, projection: Projection): void {
  const start = writer.beginMessage(field);
  writer.bytes(1, row);
  if (projection.columns !== undefined) writeColumns(writer, 2, projection.columns);
  if (projection.timeRange !== undefined) writeTimeRange(writer, 5, projection.timeRange);
  writer.end(start);
}
