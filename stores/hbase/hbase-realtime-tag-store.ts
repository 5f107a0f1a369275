/**
 * Realtime tags in HBase: a row per user, a column per tag; the cell's timestamp is the change time.
 *
 * The newest decides, and at a tie a removal, as with memberships. Of two values of the same time HBase would keep the
 * one written last, so a value is put on a condition: first that there is none of its time, then, where there is one,
 * that it is less. Values of one time thus only grow, whoever writes them and in whatever order.
 */
import { admitChanges, checkChange, checkValue } from '../changes.js';
import type { ApplyResult } from '../membership-store.js';
import type { RealtimeTagChange, RealtimeTagStore, RealtimeTags } from '../realtime-tag-store.js';
import type { ConditionalMutation } from './client/hbase-client.js';
import { HBaseRowStore } from './hbase-row-store.js';
import { HBaseTable, type HBaseTableOptions, type Preparable } from './hbase-table.js';
import { REALTIME_TAG_FAMILY, REALTIME_TAG_TABLE, tableSchema } from './tables.js';
import { type ByteString, utf8Bytes, utf8Text } from './wire/byte-string.js';
import type { CellBlockReader } from './wire/cell-block.js';
import type { Delete } from './wire/messages/mutation.js';

export interface HBaseRealtimeTagStoreOptions extends HBaseTableOptions {
  readonly table?: string;
}

/** Asks HBase nothing yet. Closing the store leaves the client open. */
export function openHBaseRealtimeTagStore(
  options: HBaseRealtimeTagStoreOptions,
): RealtimeTagStore & Preparable {
  const name = options.table === undefined ? REALTIME_TAG_TABLE : utf8Bytes(options.table);
  return new HBaseRealtimeTagStore(new HBaseTable(tableSchema(name, REALTIME_TAG_FAMILY), options));
}

interface TagPut {
  readonly row: ByteString;
  readonly qualifier: ByteString;
  readonly value: ByteString;
  readonly timestampMs: number;
}

class HBaseRealtimeTagStore extends HBaseRowStore<RealtimeTags> implements RealtimeTagStore {
  constructor(table: HBaseTable) {
    super(table, readTags);
  }

  async apply(changes: readonly RealtimeTagChange[], nowMs: number): Promise<ApplyResult> {
    for (const { uid, tagCode, value, changeTimeMs } of changes) {
      checkChange(uid, tagCode, changeTimeMs);
      if (value !== null) checkValue(value);
    }
    const { admitted, result } = admitChanges(changes, nowMs);
    const puts: TagPut[] = [];
    const deletes: Delete[] = [];
    for (const { uid, tagCode, value, changeTimeMs } of admitted) {
      const row = this.table.row(uid);
      const version = { qualifier: utf8Bytes(tagCode), timestampMs: changeTimeMs };
      if (value !== null) puts.push({ ...version, row, value: utf8Bytes(value) });
      else deletes.push({ kind: 'delete', row, cells: [{ ...version, family: REALTIME_TAG_FAMILY }] });
    }
    await this.table.write(deletes);
    await this.#put(puts);
    return result;
  }

  async #put(puts: readonly TagPut[]): Promise<void> {
    const first = await this.table.writeIf(puts.map((put) => conditional(put, 'absent')));
    const ties = puts.filter((_, i) => first[i] === false);
    await this.table.writeIf(ties.map((put) => conditional(put, { valueLessThan: put.value })));
  }
}

function conditional(
  { row, qualifier, value, timestampMs }: TagPut,
  holds: ConditionalMutation['condition']['holds'],
): ConditionalMutation {
  const family = REALTIME_TAG_FAMILY;
  return {
    mutation: { kind: 'put', row, cells: [{ family, qualifier, timestampMs, value }] },
    condition: { family, qualifier, timeRange: { fromMs: timestampMs, toMs: timestampMs + 1 }, holds },
  };
}

/** Tag codes are ASCII, so their bytes are their text. */
function readTags(cells: CellBlockReader, count: number): RealtimeTags {
  const tags = new Map<string, string>();
  for (let i = 0; i < count; i += 1) {
    cells.next();
    tags.set(cells.qualifier, utf8Text(cells.value));
  }
  return tags;
}
