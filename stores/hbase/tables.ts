/**
 * The two tables of the product, as the design has them: pre-split by salt, ROW bloom filter, one version, and
 * ROW_INDEX_V1, which costs a region server a fifth of FAST_DIFF to read.
 */
import { LATENESS_BOUND_MS } from '../membership-store.js';
import { rowKey } from '../row-key.js';
import { type ByteString, utf8Bytes } from './wire/byte-string.js';
import type { TableName } from './wire/messages/table-name.js';
import type { TableSchema } from './wire/messages/table-schema.js';

export const MEMBERSHIP_TABLE: TableName = utf8Bytes('user_crowd_mapping');
export const MEMBERSHIP_FAMILY = utf8Bytes('cf');
export const REALTIME_TAG_TABLE: TableName = utf8Bytes('user_realtime_tags');
export const REALTIME_TAG_FAMILY = utf8Bytes('rt');

/**
 * `purgeDeletesAfterMs`: for how long major compactions keep departures. Before that, an older change that arrives late
 * meets the departure that undoes it.
 */
export function tableSchema(
  table: TableName,
  family: ByteString,
  purgeDeletesAfterMs: number = LATENESS_BOUND_MS,
): TableSchema {
  return {
    table,
    attributes: {},
    families: [
      {
        name: family,
        attributes: {
          BLOOMFILTER: 'ROW',
          DATA_BLOCK_ENCODING: 'ROW_INDEX_V1',
          VERSIONS: '1',
        },
        configuration: { 'hbase.hstore.time.to.purge.deletes': String(purgeDeletesAfterMs) },
      },
    ],
  };
}

/** One region per bucket of the salt. */
export function splitKeys(buckets: number): ByteString[] {
  const width = String(buckets - 1).length;
  return Array.from({ length: buckets - 1 }, (_, i) => utf8Bytes(`${String(i + 1).padStart(width, '0')}_`));
}

export function rowOfUid(uid: string, buckets: number): ByteString {
  return utf8Bytes(rowKey(uid, buckets));
}
