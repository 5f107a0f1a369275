/**
 * Client.proto of HBase 2.6.4:
 *
 *   message Result {
 *     optional int32 associated_cell_count = 2;
 *     optional bool partial = 5 [default = false];
 *   }
 *   message ResultOrException {
 *     optional uint32 index = 1;
 *     optional Result result = 2;
 *     optional NameBytesPair exception = 3;
 *   }
 *   message RegionActionResult {
 *     repeated ResultOrException resultOrException = 1;
 *     optional NameBytesPair exception = 2;
 *     optional bool processed = 3;
 *   }
 *   message MultiResponse {
 *     repeated RegionActionResult regionActionResult = 1;
 *   }
 *
 * Region results come in the order of the region actions. The cells of the results are in the cell block, in the order
 * in which the results are listed here, which need not be that of their indices.
 */
import type { Cell, CellBlockReader } from '../cell-block.js';
import type { ProtoReader } from '../proto-reader.js';
import { WireError } from '../wire-error.js';
import { type RemoteFailure, readNameBytesPair } from './remote-failure.js';

/** What became of an action: its cells (none for a mutation), or why it was not done. */
export type ActionResult = readonly Cell[] | RemoteFailure;

export interface RegionResult {
  /** By the index of the action; what the server says nothing about is undefined. */
  readonly results: readonly (ActionResult | undefined)[];
  /** Of the whole region: none of its actions was done. */
  readonly failure: RemoteFailure | undefined;
  /** Whether the condition held, if there was one. */
  readonly hasProcessed: boolean;
}

const NO_CELLS: readonly Cell[] = [];

export function isRemoteFailure(result: ActionResult): result is RemoteFailure {
  return !Array.isArray(result);
}

/** `actionCounts`: how many actions each region was sent. */
export function readMultiResponse(
  reader: ProtoReader,
  cells: CellBlockReader,
  actionCounts: readonly number[],
): RegionResult[] {
  const regions: RegionResult[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const count = actionCounts[regions.length];
    if (count === undefined) throw new WireError('A Multi has results of more regions than were asked.');
    regions.push(reader.message((region) => readRegionActionResult(region, cells, count)));
  }
  if (regions.length !== actionCounts.length) {
    throw new WireError('A Multi has not the results of every region that was asked.');
  }
  return regions;
}

function readRegionActionResult(reader: ProtoReader, cells: CellBlockReader, count: number): RegionResult {
  const results: (ActionResult | undefined)[] = new Array(count).fill(undefined);
  let failure: RemoteFailure | undefined;
  let hasProcessed = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reader.message((result) => readResultOrException(result, cells, results));
    else if (field === 2) failure = reader.message(readNameBytesPair);
    else if (field === 3) hasProcessed = reader.bool();
    else reader.skip();
  }
  return { results, failure, hasProcessed };
}

function readResultOrException(
  reader: ProtoReader,
  cells: CellBlockReader,
  results: (ActionResult | undefined)[],
): void {
  let index = 0;
  let result: ActionResult = NO_CELLS;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) index = reader.uint();
    else if (field === 2) {
      const count = reader.message(readCellCount);
      result = count === 0 ? NO_CELLS : cells.read(count);
    } else if (field === 3) result = reader.message(readNameBytesPair);
    else reader.skip();
  }
  if (index >= results.length)
    throw new WireError(`A Multi has a result of an action ${index} that was not asked.`);
  results[index] = result;
}

/** How many cells of the cell block a Result has. */
export function readCellCount(reader: ProtoReader): number {
  let count = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) count = reader.uint();
    else reader.skip();
  }
  return count;
}
