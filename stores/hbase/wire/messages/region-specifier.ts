/**
 * HBase.proto of HBase 2.6.4:
 *
 *   message RegionSpecifier {
 *     required RegionSpecifierType type = 1;
 *     required bytes value = 2;
 *     enum RegionSpecifierType {
 *       REGION_NAME = 1;
 *       ENCODED_REGION_NAME = 2;
 *     }
 *   }
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';

const REGION_NAME = 1;
const ENCODED_REGION_NAME = 2;

/** `name`: `<table>,<start key>,<region id>.<encoded name>.`, as it is the row key in `hbase:meta`. */
export function writeRegionSpecifier(writer: ProtoWriter, field: number, name: ByteString): void {
  writeSpecifier(writer, field, REGION_NAME, name);
}

export function writeEncodedRegionSpecifier(writer: ProtoWriter, field: number, name: ByteString): void {
  writeSpecifier(writer, field, ENCODED_REGION_NAME, name);
}

function writeSpecifier(writer: ProtoWriter, field: number, type: number, value: ByteString): void {
  const start = writer.beginMessage(field);
  writer.uint(1, type);
  writer.bytes(2, value);
  writer.end(start);
}
