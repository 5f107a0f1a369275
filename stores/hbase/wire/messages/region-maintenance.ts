/**
 * What a region server is asked to do with a region. Admin.proto of HBase 2.6.4:
 *
 *   message FlushRegionRequest {
 *     required RegionSpecifier region = 1;
 *   }
 *   message CompactRegionRequest {
 *     required RegionSpecifier region = 1;
 *     optional bool major = 2;
 *   }
 *   message GetStoreFileRequest {
 *     required RegionSpecifier region = 1;
 *     repeated bytes family = 2;
 *   }
 *   message GetStoreFileResponse {
 *     repeated string store_file = 1;
 *   }
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoReader } from '../proto-reader.js';
import type { ProtoWriter } from '../proto-writer.js';
import { writeRegionSpecifier } from './region-specifier.js';

export function writeFlushRegion(writer: ProtoWriter, regionName: ByteString): void {
  writeRegionSpecifier(writer, 1, regionName);
}

export function writeMajorCompactRegion(writer: ProtoWriter, regionName: ByteString): void {
  writeRegionSpecifier(writer, 1, regionName);
  writer.bool(2, true);
}

/** Of all families. */
export function writeGetStoreFiles(writer: ProtoWriter, regionName: ByteString): void {
  writeRegionSpecifier(writer, 1, regionName);
}

/** The paths of the files that a region reads. */
export function readStoreFiles(reader: ProtoReader): string[] {
  const files: string[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) files.push(reader.text());
    else reader.skip();
  }
  return files;
}
