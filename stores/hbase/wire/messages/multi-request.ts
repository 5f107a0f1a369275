/**
 * Reads and writes of many rows of the regions of one server. Client.proto of HBase 2.6.4:
 *
 *   message Action {
 *     optional uint32 index = 1;
 *     optional MutationProto mutation = 2;
 *     optional Get get = 3;
 *   }
 *   message RegionAction {
 *     required RegionSpecifier region = 1;
 *     optional bool atomic = 2;
 *     repeated Action action = 3;
 *     optional Condition condition = 4;
 *   }
 *   message MultiRequest {
 *     repeated RegionAction regionAction = 1;
 *   }
 *
 * A condition is of a whole region action, which holds then the mutation of that row alone.
 */
import type { ByteString } from '../byte-string.js';
import type { RowReader } from '../cell-block.js';
import type { ProtoWriter } from '../proto-writer.js';
import { type Condition, writeCondition } from './condition.js';
import { type Projection, writeGet } from './get.js';
import { type Mutation, writeMutation } from './mutation.js';
import { writeRegionSpecifier } from './region-specifier.js';

export type RowAction =
  | {
      readonly kind: 'get';
      readonly row: ByteString;
      readonly projection: Projection;
      readonly read: RowReader;
    }
  | {
      readonly kind: 'mutate';
      readonly row: ByteString;
      readonly mutation: Mutation;
      readonly condition: Condition | undefined;
    };

export interface RegionActions {
  readonly regionName: ByteString;
  /** One only, if it has a condition. */
  readonly actions: readonly RowAction[];
}

/** The index of an action in the response is its index in `actions`. */
export function writeMultiRequest(writer: ProtoWriter, regions: readonly RegionActions[]): void {
  for (const { regionName, actions } of regions) {
    const regionAction = writer.beginMessage(1);
    writeRegionSpecifier(writer, 1, regionName);
    let index = 0;
    for (const action of actions) {
      const start = writer.beginMessage(3);
      writer.uint(1, index);
      if (action.kind === 'get') writeGet(writer, 3, action.row, action.projection);
      else writeMutation(writer, 2, action.mutation);
      writer.end(start);
      index += 1;
    }
    const [first] = actions;
    if (first?.kind === 'mutate' && first.condition !== undefined) {
      writer.bool(2, true);
      writeCondition(writer, 4, first.row, first.condition);
    }
    writer.end(regionAction);
  }
}
