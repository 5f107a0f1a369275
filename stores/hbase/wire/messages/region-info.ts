/**
 * HBase.proto of HBase 2.6.4:
 *
 *   message RegionInfo {
 *     required uint64 region_id = 1;
 *     required TableName table_name = 2;
 *     optional bytes start_key = 3;
 *     optional bytes end_key = 4;
 *     optional bool offline = 5;
 *     optional bool split = 6;
 *     optional int32 replica_id = 7 [default = 0];
 *   }
 */
import { type ByteString, EMPTY } from '../byte-string.js';
import type { ProtoReader } from '../proto-reader.js';
import type { ProtoWriter } from '../proto-writer.js';
import { readTableName, type TableName, writeTableName } from './table-name.js';

export interface RegionInfo {
  /** Epoch milliseconds of its creation. */
  readonly regionId: number;
  readonly table: TableName;
  /** The first row; empty: from the start of the table. */
  readonly startKey: ByteString;
  /** The row after the last; empty: up to the end of the table. */
  readonly endKey: ByteString;
  readonly isOffline: boolean;
  /** It was split, and its daughters hold its rows. */
  readonly isSplit: boolean;
  readonly replicaId: number;
}

export function writeRegionInfo(writer: ProtoWriter, region: RegionInfo): void {
  writer.uint(1, region.regionId);
  writer.message(2, (name) => writeTableName(name, region.table));
  writer.bytes(3, region.startKey);
  writer.bytes(4, region.endKey);
  writer.bool(5, region.isOffline);
  writer.bool(6, region.isSplit);
  writer.uint(7, region.replicaId);
}

export function readRegionInfo(reader: ProtoReader): RegionInfo {
  let regionId = 0;
  let table: TableName = EMPTY;
  let startKey = EMPTY;
  let endKey = EMPTY;
  let isOffline = false;
  let isSplit = false;
  let replicaId = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) regionId = reader.uint();
    else if (field === 2) table = reader.message(readTableName);
    else if (field === 3) startKey = reader.bytes();
    else if (field === 4) endKey = reader.bytes();
    else if (field === 5) isOffline = reader.bool();
    else if (field === 6) isSplit = reader.bool();
    else if (field === 7) replicaId = reader.uint();
    else reader.skip();
  }
  return { regionId, table, startKey, endKey, isOffline, isSplit, replicaId };
}
