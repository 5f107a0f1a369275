/**
 * What must hold of a row for the mutations of a region action to be done. Client.proto, Comparator.proto and HBase.proto
 * of HBase 2.6.4:
 *
 *   message Condition {
 *     required bytes row = 1;
 *     optional bytes family = 2;
 *     optional bytes qualifier = 3;
 *     optional CompareType compare_type = 4;
 *     optional Comparator comparator = 5;
 *     optional TimeRange time_range = 6;
 *   }
 *   message Comparator {
 *     required string name = 1;
 *     optional bytes serialized_comparator = 2;
 *   }
 *   message ByteArrayComparable {
 *     optional bytes value = 1;
 *   }
 *   message BinaryComparator {
 *     required ByteArrayComparable comparable = 1;
 *   }
 *   enum CompareType {
 *     LESS = 0; LESS_OR_EQUAL = 1; EQUAL = 2; NOT_EQUAL = 3; GREATER_OR_EQUAL = 4; GREATER = 5; NO_OP = 6;
 *   }
 *
 * The server compares the comparator's value with the cell's, so GREATER holds when the value given here is greater.
 * A column without a cell counts as one with the empty value where the value given is empty and the comparison EQUAL.
 */
import { type ByteString, EMPTY, utf8Bytes } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';
import { type TimeRange, writeTimeRange } from './column.js';

const BINARY_COMPARATOR = utf8Bytes('org.apache.hadoop.hbase.filter.BinaryComparator');
const NULL_COMPARATOR = utf8Bytes('org.apache.hadoop.hbase.filter.NullComparator');
const EQUAL = 2;
const GREATER = 5;

export interface Condition {
  readonly family: ByteString;
  readonly qualifier: ByteString;
  /** Only cells of these times are looked at. */
  readonly timeRange: TimeRange;
  /** That there is no such cell, or that there is one whose value is less than this. */
  readonly holds: 'absent' | { readonly valueLessThan: ByteString };
}

export function writeCondition(
  writer: ProtoWriter,
  field: number,
  row: ByteString,
  condition: Condition,
): void {
  const start = writer.beginMessage(field);
  writer.bytes(1, row);
  writer.bytes(2, condition.family);
  writer.bytes(3, condition.qualifier);
  writer.uint(4, condition.holds === 'absent' ? EQUAL : GREATER);
  if (condition.holds === 'absent') writeComparator(writer, NULL_COMPARATOR, EMPTY);
  else writeComparator(writer, BINARY_COMPARATOR, condition.holds.valueLessThan);
  writeTimeRange(writer, 6, condition.timeRange);
  writer.end(start);
}

function writeComparator(writer: ProtoWriter, name: ByteString, value: ByteString): void {
  writer.message(5, (comparator) => {
    comparator.bytes(1, name);
    comparator.message(2, (serialized) => {
      if (name === NULL_COMPARATOR) return;
      serialized.message(1, (comparable) => comparable.bytes(1, value));
    });
  });
}
