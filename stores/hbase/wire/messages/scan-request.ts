/**
 * Client.proto of HBase 2.6.4:
 *
 *   message Scan {
 *     repeated Column column = 1;
 *     optional bytes start_row = 3;
 *     optional bytes stop_row = 4;
 *     optional TimeRange time_range = 6;
 *     optional bool cache_blocks = 8 [default = true];
 *     optional uint64 max_result_size = 10;
 *     optional uint32 caching = 17;
 *     optional bool include_start_row = 21 [default = true];
 *   }
 *   message ScanRequest {
 *     optional RegionSpecifier region = 1;
 *     optional Scan scan = 2;
 *     optional uint64 scanner_id = 3;
 *     optional uint32 number_of_rows = 4;
 *     optional bool close_scanner = 5;
 *     optional uint64 next_call_seq = 6;
 *     optional bool client_handles_partials = 7;
 *     optional bool client_handles_heartbeats = 8;
 *   }
 *
 * The first call of a scanner names the region and the scan and, with `number_of_rows`, has rows already. After it
 * `next_call_seq` counts the calls from 0, so that the server notices one that was lost.
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';
import { writeColumns, writeTimeRange } from './column.js';
import type { Projection } from './get.js';
import { writeRegionSpecifier } from './region-specifier.js';

/** A part of a table in the order of its rows. */
export interface ScanRange extends Projection {
  readonly startRow: ByteString;
  readonly includesStartRow: boolean;
  /** The row after the last; empty: up to the end of the table. */
  readonly stopRow: ByteString;
}

export interface ScanSize {
  /** How many rows at most come with one response. */
  readonly rows: number;
  /** How many bytes of cells at most, roughly, come with one response: a row may come in parts. */
  readonly bytes: number;
}

export function writeOpenScanner(
  writer: ProtoWriter,
  regionName: ByteString,
  range: ScanRange,
  size: ScanSize,
): void {
  writeRegionSpecifier(writer, 1, regionName);
  writer.message(2, (scan) => {
    if (range.columns !== undefined) writeColumns(scan, 1, range.columns);
    scan.bytes(3, range.startRow);
    scan.bytes(4, range.stopRow);
    if (range.timeRange !== undefined) writeTimeRange(scan, 6, range.timeRange);
    // What a scan passes over would drive out of the cache what the gateways read.
    scan.bool(8, false);
    scan.uint(10, size.bytes);
    scan.uint(17, size.rows);
    scan.bool(21, range.includesStartRow);
  });
  writer.uint(4, size.rows);
  writeHandles(writer);
}

export function writeNextRows(
  writer: ProtoWriter,
  scannerId: bigint,
  nextCallSequence: number,
  rows: number,
): void {
  writer.uint64(3, scannerId);
  writer.uint(4, rows);
  writer.uint(6, nextCallSequence);
  writeHandles(writer);
}

export function writeCloseScanner(writer: ProtoWriter, scannerId: bigint): void {
  writer.uint64(3, scannerId);
  writer.uint(4, 0);
  writer.bool(5, true);
}

function writeHandles(writer: ProtoWriter): void {
  writer.bool(7, true);
  writer.bool(8, true);
}
