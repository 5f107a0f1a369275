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
import { type CellBlockReader, readCells } from '../cell-block.js';
import type { ProtoReader } from '../proto-reader.js';
import { WireError } from '../wire-error.js';
import type { RegionActions, RowAction } from './multi-request.js';
import { type RemoteFailure, readNameBytesPair } from './remote-failure.js';

/** Why an action was not done. */
export class ActionFailure {
  readonly failure: RemoteFailure;

  constructor(failure: RemoteFailure) {
    this.failure = failure;
  }
}

export interface RegionResult {
  /**
   * By the index of the action: what its reader made of the row (of a mutation no cells), or an ActionFailure; undefined
   * where the server says nothing.
   */
  readonly results: readonly (object | undefined)[];
  /** Of the whole region: none of its actions was done. */
  readonly failure: RemoteFailure | undefined;
  /** Whether the condition held, if there was one. */
  readonly hasProcessed: boolean;
}

/** `asked`: what each region was sent. */
export function readMultiResponse(
  reader: ProtoReader,
  cells: CellBlockReader,
  asked: readonly RegionActions[],
): RegionResult[] {
  const regions: RegionResult[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const actions = asked[regions.length]?.actions;
    if (actions === undefined) throw new WireError('A Multi has results of more regions than were asked.');
    regions.push(reader.message((region) => readRegionActionResult(region, cells, actions)));
  }
  if (regions.length !== asked.length) {
    throw new WireError('A Multi has not the results of every region that was asked.');
  }
  return regions;
}

function readRegionActionResult(
  reader: ProtoReader,
  cells: CellBlockReader,
  actions: readonly RowAction[],
): RegionResult {
  const results: (object | undefined)[] = new Array(actions.length).fill(undefined);
  let failure: RemoteFailure | undefined;
  let hasProcessed = false;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) reader.message((result) => readResultOrException(result, cells, actions, results));
    else if (field === 2) failure = reader.message(readNameBytesPair);
    else if (field === 3) hasProcessed = reader.bool();
    else reader.skip();
  }
  return { results, failure, hasProcessed };
}

function readResultOrException(
  reader: ProtoReader,
  cells: CellBlockReader,
  actions: readonly RowAction[],
  results: (object | undefined)[],
): void {
  let index = 0;
  let count = 0;
  let failure: RemoteFailure | undefined;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) index = reader.uint();
    else if (field === 2) count = reader.message(readCellCount);
    else if (field === 3) failure = reader.message(readNameBytesPair);
    else reader.skip();
  }
  const action = actions[index];
  if (action === undefined) {
    throw new WireError(`A Multi has a result of an action ${index} that was not asked.`);
  }
  const row = (action.kind === 'get' ? action.read : readCells)(cells, count);
  results[index] = failure === undefined ? row : new ActionFailure(failure);
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
