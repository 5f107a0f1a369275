/**
 * Client.proto of HBase 2.6.4:
 *
 *   message ScanResponse {
 *     repeated uint32 cells_per_result = 1;
 *     optional uint64 scanner_id = 2;
 *     optional bool more_results = 3;
 *     repeated bool partial_flag_per_result = 7;
 *     optional bool more_results_in_region = 8;
 *     optional bool heartbeat_message = 9;
 *   }
 *
 * A partial result holds some cells of a row; more of them come with the next result, in this response or the next one.
 */
import type { CellBlockReader, Row } from '../cell-block.js';
import type { ProtoReader } from '../proto-reader.js';

/** A row, or a part of one. */
export interface ScanResult extends Row {
  readonly isPartial: boolean;
}

export interface ScanResponse {
  readonly results: readonly ScanResult[];
  readonly scannerId: bigint | undefined;
  /** The range of the scan goes on, in this region or in the next. */
  readonly hasMore: boolean;
  readonly hasMoreInRegion: boolean;
}

export function readScanResponse(reader: ProtoReader, cells: CellBlockReader): ScanResponse {
  const counts: number[] = [];
  const partialFlags: number[] = [];
  let scannerId: bigint | undefined;
  let hasMore = true;
  let hasMoreInRegion = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reader.uints(counts);
    else if (field === 2) scannerId = reader.uint64();
    else if (field === 3) hasMore = reader.bool();
    else if (field === 7) reader.uints(partialFlags);
    else if (field === 8) hasMoreInRegion = reader.bool();
    else reader.skip();
  }
  const results: ScanResult[] = [];
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    results.push({ key: cells.peekRow(), cells: cells.read(count), isPartial: partialFlags[i] === 1 });
  }
  return { results, scannerId, hasMore, hasMoreInRegion };
}
