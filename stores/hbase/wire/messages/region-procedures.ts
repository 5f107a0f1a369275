/**
 * What a master is asked to do with a region. Master.proto of HBase 2.6.4:
 *
 *   message MoveRegionRequest {
 *     required RegionSpecifier region = 1;
 *     optional ServerName dest_server_name = 2;
 *   }
 *   message SplitTableRegionRequest {
 *     required RegionInfo region_info = 1;
 *     optional bytes split_row = 2;
 *     optional uint64 nonce_group = 3 [default = 0];
 *     optional uint64 nonce = 4 [default = 0];
 *   }
 *   message MergeTableRegionsRequest {
 *     repeated RegionSpecifier region = 1;
 *     optional bool forcible = 3 [default = false];
 *     optional uint64 nonce_group = 4 [default = 0];
 *     optional uint64 nonce = 5 [default = 0];
 *   }
 *
 * Regions to move and to merge are named by their encoded names.
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';
import { type RegionInfo, writeRegionInfo } from './region-info.js';
import { writeEncodedRegionSpecifier } from './region-specifier.js';
import { type ServerName, writeServerName } from './server-name.js';
import { writeNonce } from './table-procedures.js';

/** Without a destination the master chooses one. */
export function writeMoveRegion(
  writer: ProtoWriter,
  encodedName: ByteString,
  destination: ServerName | undefined,
): void {
  writeEncodedRegionSpecifier(writer, 1, encodedName);
  if (destination !== undefined) writer.message(2, (server) => writeServerName(server, destination));
}

export function writeSplitRegion(
  writer: ProtoWriter,
  region: RegionInfo,
  splitRow: ByteString,
  nonce: bigint,
): void {
  writer.message(1, (info) => writeRegionInfo(info, region));
  writer.bytes(2, splitRow);
  writeNonce(writer, 3, nonce);
}

export function writeMergeRegions(
  writer: ProtoWriter,
  encodedNames: readonly ByteString[],
  nonce: bigint,
): void {
  for (const name of encodedNames) writeEncodedRegionSpecifier(writer, 1, name);
  writeNonce(writer, 4, nonce);
}
