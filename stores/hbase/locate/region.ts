import type { Address } from '../../../config/addresses.js';
import type { ByteString } from '../wire/byte-string.js';
import type { RegionInfo } from '../wire/messages/region-info.js';

/** A region, and the server that held it when `hbase:meta` was read. */
export interface Region {
  /** `<table>,<start key>,<region id>.<encoded name>.` */
  readonly name: ByteString;
  readonly info: RegionInfo;
  readonly server: Address;
  /** `host:port` of the server. */
  readonly serverName: string;
}

/** The hash within a region's name. */
export function encodedRegionName(name: ByteString): ByteString {
  return name.slice(name.lastIndexOf('.', name.length - 2) + 1, -1) as ByteString;
}
