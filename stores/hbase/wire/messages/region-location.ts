/**
 * The answer of ClientMetaService.GetMetaRegionLocations. Registry.proto and HBase.proto of HBase 2.6.4:
 *
 *   message RegionLocation {
 *     required RegionInfo region_info = 1;
 *     optional ServerName server_name = 2;
 *     required int64 seq_num = 3;
 *   }
 *   message GetMetaRegionLocationsResponse {
 *     repeated RegionLocation meta_locations = 1;
 *   }
 */
import type { ProtoReader } from '../proto-reader.js';
import { type RegionInfo, readRegionInfo } from './region-info.js';
import { readServerName, type ServerName } from './server-name.js';

export interface MetaRegionLocation {
  readonly region: RegionInfo;
  readonly server: ServerName;
}

/** Locations without a region or a server are left out. */
export function readMetaRegionLocations(reader: ProtoReader): MetaRegionLocation[] {
  const locations: MetaRegionLocation[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const location = reader.message(readRegionLocation);
    if (location !== undefined) locations.push(location);
  }
  return locations;
}

function readRegionLocation(reader: ProtoReader): MetaRegionLocation | undefined {
  let region: RegionInfo | undefined;
  let server: ServerName | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) region = reader.message(readRegionInfo);
    else if (field === 2) server = reader.message(readServerName);
    else reader.skip();
  }
  return region === undefined || server === undefined ? undefined : { region, server };
}
