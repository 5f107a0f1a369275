/**
 * HBase.proto of HBase 2.6.4:
 *
 *   message TableName {
 *     required bytes namespace = 1;
 *     required bytes qualifier = 2;
 *   }
 */
import { type ByteString, EMPTY, joinBytes, utf8Bytes } from '../byte-string.js';
import type { ProtoReader } from '../proto-reader.js';
import type { ProtoWriter } from '../proto-writer.js';

const DEFAULT_NAMESPACE = utf8Bytes('default');
const COLON = utf8Bytes(':');

/** `qualifier`, or `namespace:qualifier` outside the default namespace. */
export type TableName = ByteString;

export const META_TABLE: TableName = utf8Bytes('hbase:meta');

export function writeTableName(writer: ProtoWriter, table: TableName): void {
  const colon = table.indexOf(COLON);
  writer.bytes(1, colon === -1 ? DEFAULT_NAMESPACE : (table.slice(0, colon) as ByteString));
  writer.bytes(2, table.slice(colon + 1) as ByteString);
}

export function readTableName(reader: ProtoReader): TableName {
  let namespace = EMPTY;
  let qualifier = EMPTY;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) namespace = reader.bytes();
    else if (field === 2) qualifier = reader.bytes();
    else reader.skip();
  }
  return namespace === DEFAULT_NAMESPACE ? qualifier : joinBytes(namespace, COLON, qualifier);
}
