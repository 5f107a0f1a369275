/**
 * What a master is asked to do with a table; it answers with the id of the procedure that does it. Master.proto of
 * HBase 2.6.4:
 *
 *   message CreateTableRequest {
 *     required TableSchema table_schema = 1;
 *     repeated bytes split_keys = 2;
 *     optional uint64 nonce_group = 3 [default = 0];
 *     optional uint64 nonce = 4 [default = 0];
 *   }
 *   message TruncateTableRequest {
 *     required TableName tableName = 1;
 *     optional bool preserveSplits = 2 [default = false];
 *     optional uint64 nonce_group = 3 [default = 0];
 *     optional uint64 nonce = 4 [default = 0];
 *   }
 *   message DisableTableRequest, DeleteTableRequest, GetTableStateRequest {
 *     required TableName table_name = 1;
 *     (but for the last:)
 *     optional uint64 nonce_group = 2 [default = 0];
 *     optional uint64 nonce = 3 [default = 0];
 *   }
 *   message …TableResponse {
 *     optional uint64 proc_id = 1;
 *   }
 *
 * The master does a request that comes again with the same nonce once.
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoReader } from '../proto-reader.js';
import type { ProtoWriter } from '../proto-writer.js';
import { type TableName, writeTableName } from './table-name.js';
import { type TableSchema, writeTableSchema } from './table-schema.js';

export function writeCreateTable(
  writer: ProtoWriter,
  schema: TableSchema,
  splitKeys: readonly ByteString[],
  nonce: bigint,
): void {
  writer.message(1, (table) => writeTableSchema(table, schema));
  for (const key of splitKeys) writer.bytes(2, key);
  writeNonce(writer, 3, nonce);
}

/** The regions stay where the table was split when it was made. */
export function writeTruncateTable(writer: ProtoWriter, table: TableName, nonce: bigint): void {
  writer.message(1, (name) => writeTableName(name, table));
  writer.bool(2, true);
  writeNonce(writer, 3, nonce);
}

/** Of DisableTable and DeleteTable. */
export function writeTableRequest(writer: ProtoWriter, table: TableName, nonce: bigint): void {
  writer.message(1, (name) => writeTableName(name, table));
  writeNonce(writer, 2, nonce);
}

/** Of GetTableState. */
export function writeTable(writer: ProtoWriter, table: TableName): void {
  writer.message(1, (name) => writeTableName(name, table));
}

/** The group of the nonces of one client; any number but 0, which means that there is none. */
const NONCE_GROUP = 1;

export function writeNonce(writer: ProtoWriter, field: number, nonce: bigint): void {
  writer.uint(field, NONCE_GROUP);
  writer.uint64(field + 1, nonce);
}

/** The id of a procedure; undefined when there is nothing to wait for. */
export function readProcedureId(reader: ProtoReader): number | undefined {
  let id: number | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) id = reader.uint();
    else reader.skip();
  }
  return id;
}
