/**
 * The rows of `hbase:meta`: one per region, of which family `info` says
 *
 *   regioninfo   `PBUF` and a RegionInfo
 *   server       `host:port`; none while the region has never been open
 *
 * Source: `org.apache.hadoop.hbase.HConstants`, `MetaTableAccessor`.
 */

import type { Address } from '../../../config/addresses.js';
import { scanRegion } from '../client/scan-region.js';
import type { ServerLink } from '../connection/server-link.js';
import { type ByteString, bufferOf, joinBytes, utf8Bytes, utf8Text } from '../wire/byte-string.js';
import type { Row } from '../wire/cell-block.js';
import { type RegionInfo, readRegionInfo } from '../wire/messages/region-info.js';
import type { TableName } from '../wire/messages/table-name.js';
import { ProtoReader } from '../wire/proto-reader.js';
import { WireError } from '../wire/wire-error.js';
import type { Region } from './region.js';

/** The one region of `hbase:meta`, whose name is the same in every cluster. */
export const META_REGION_NAME = utf8Bytes('hbase:meta,,1');
const INFO = utf8Bytes('info');
const REGION_INFO = utf8Bytes('regioninfo');
const SERVER = utf8Bytes('server');
const PROTOBUF_MAGIC = utf8Bytes('PBUF');
const SIZE = { rows: 1_000, bytes: 1_048_576 };

export interface TableRegions {
  /** In order. Those that no server holds are missing. */
  readonly regions: readonly Region[];
  readonly count: number;
}

/** The regions of a table as `hbase:meta` has them. Rejects as `ServerLink.call` does. */
export async function readRegions(
  link: ServerLink,
  table: TableName,
  callTimeoutMs: number,
): Promise<TableRegions> {
  const range = {
    // HBase orders these rows by their three parts between commas: the table, the start key, the id.
    startRow: joinBytes(table, utf8Bytes(',,')),
    includesStartRow: true,
    stopRow: joinBytes(table, utf8Bytes(' ,,')),
    columns: [{ family: INFO, qualifiers: [REGION_INFO, SERVER] }],
  };
  const regions: Region[] = [];
  let count = 0;
  for await (const rows of scanRegion(link, META_REGION_NAME, range, SIZE, callTimeoutMs)) {
    const some = regionsOf(rows);
    regions.push(...some.regions);
    count += some.count;
  }
  return { regions, count };
}

/** The regions that hold rows, and how many there are. */
export function regionsOf(rows: readonly Row[]): TableRegions {
  const regions: Region[] = [];
  let count = 0;
  for (const row of rows) {
    const info = regionInfoOf(row);
    // A parent that was split, and copies of regions that only read, are not asked.
    if (info === undefined || info.isSplit || info.isOffline || info.replicaId !== 0) continue;
    count += 1;
    const server = serverOf(row);
    if (server === undefined) continue;
    regions.push({ name: row.key, info, server, serverName: `${server.host}:${server.port}` });
  }
  return { regions, count };
}

function cellValue(row: Row, qualifier: ByteString): ByteString | undefined {
  return row.cells.find((cell) => cell.qualifier === qualifier)?.value;
}

function regionInfoOf(row: Row): RegionInfo | undefined {
  const value = cellValue(row, REGION_INFO);
  if (value === undefined || value === '') return undefined;
  if (!value.startsWith(PROTOBUF_MAGIC)) throw new WireError('A region of hbase:meta has no RegionInfo.');
  return readRegionInfo(new ProtoReader(bufferOf(value), PROTOBUF_MAGIC.length));
}

function serverOf(row: Row): Address | undefined {
  const text = utf8Text(cellValue(row, SERVER) ?? ('' as ByteString));
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  return colon > 0 && Number.isInteger(port) && port > 0 ? { host: text.slice(0, colon), port } : undefined;
}
