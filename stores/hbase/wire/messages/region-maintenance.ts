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
 *   message GetRegionInfoRequest {
 *     required RegionSpecifier region = 1;
 *     optional bool compaction_state = 2;
 *   }
 *   message GetRegionInfoResponse {
 *     required RegionInfo region_info = 1;
 *     optional CompactionState compaction_state = 2;
 *     enum CompactionState { NONE = 0; MINOR = 1; MAJOR = 2; MAJOR_AND_MINOR = 3; }
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

export function writeGetCompactionState(writer: ProtoWriter, regionName: ByteString): void {
  writeRegionSpecifier(writer, 1, regionName);
  writer.bool(2, true);
}

export function readIsCompacting(reader: ProtoReader): boolean {
  let state = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) state = reader.uint();
    else reader.skip();
  }
  return state !== 0;
}
