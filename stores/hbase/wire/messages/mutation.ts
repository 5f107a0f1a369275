/**
 * Client.proto of HBase 2.6.4:
 *
 *   message MutationProto {
 *     optional bytes row = 1;
 *     optional MutationType mutate_type = 2;
 *     repeated ColumnValue column_value = 3;
 *     enum MutationType { APPEND = 0; INCREMENT = 1; PUT = 2; DELETE = 3; }
 *     enum DeleteType {
 *       DELETE_ONE_VERSION = 0;
 *       DELETE_MULTIPLE_VERSIONS = 1;
 *       DELETE_FAMILY = 2;
 *       DELETE_FAMILY_VERSION = 3;
 *     }
 *     message ColumnValue {
 *       required bytes family = 1;
 *       repeated QualifierValue qualifier_value = 2;
 *       message QualifierValue {
 *         optional bytes qualifier = 1;
 *         optional bytes value = 2;
 *         optional uint64 timestamp = 3;
 *         optional DeleteType delete_type = 4;
 *       }
 *     }
 *   }
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';

const MUTATE_TYPE = { put: 2, delete: 3 } as const;
const DELETE_MULTIPLE_VERSIONS = 1;

/** Cells of one row that are written together, or the columns of one row that are deleted together. */
export type Mutation = Put | Delete;

export interface Put {
  readonly kind: 'put';
  readonly row: ByteString;
  readonly cells: readonly PutCell[];
}

export interface PutCell extends CellVersion {
  readonly value: ByteString;
}

/** Deletes every version of each column up to and including its timestamp: `DeleteColumn`. */
export interface Delete {
  readonly kind: 'delete';
  readonly row: ByteString;
  readonly cells: readonly CellVersion[];
}

/** Every timestamp is explicit, so that a mutation can be repeated without harm. */
export interface CellVersion {
  readonly family: ByteString;
  readonly qualifier: ByteString;
  /** Epoch milliseconds. */
  readonly timestampMs: number;
}

export function writeMutation(writer: ProtoWriter, field: number, mutation: Mutation): void {
  const start = writer.beginMessage(field);
  writer.bytes(1, mutation.row);
  writer.uint(2, MUTATE_TYPE[mutation.kind]);
  if (mutation.kind === 'put') {
    for (const cell of mutation.cells) writeCell(writer, cell, cell.value);
  } else {
    for (const cell of mutation.cells) writeCell(writer, cell, undefined);
  }
  writer.end(start);
}

function writeCell(writer: ProtoWriter, cell: CellVersion, value: ByteString | undefined): void {
  const columnValue = writer.beginMessage(3);
  writer.bytes(1, cell.family);
  const qualifierValue = writer.beginMessage(2);
  writer.bytes(1, cell.qualifier);
  if (value !== undefined) writer.bytes(2, value);
  writer.uint(3, cell.timestampMs);
  if (value === undefined) writer.uint(4, DELETE_MULTIPLE_VERSIONS);
  writer.end(qualifierValue);
  writer.end(columnValue);
}
