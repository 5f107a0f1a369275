/**
 * Memberships in HBase: a row per user, a column per crowd. The cell's timestamp is the change time; entering is a put,
 * leaving a DeleteColumn. That is all the order there is: HBase answers with the newest put that no deletion as new or
 * newer covers, so older changes undo nothing, and leaving wins a tie.
 */
import type { QuanrenError } from '../../errors/quanren-error.js';
import { admitChanges, checkChange } from '../changes.js';
import type {
  ApplyResult,
  MembershipChange,
  MembershipStore,
  Memberships,
  PartialMembershipSource,
  ReadOptions,
} from '../membership-store.js';
import { checkUid, uidOfRowKey } from '../row-key.js';
import { HBaseRowStore } from './hbase-row-store.js';
import { HBaseTable, type HBaseTableOptions, type Preparable } from './hbase-table.js';
import { MEMBERSHIP_FAMILY, MEMBERSHIP_TABLE, tableSchema } from './tables.js';
import { EMPTY, utf8Bytes, utf8Text } from './wire/byte-string.js';
import type { CellBlockReader } from './wire/cell-block.js';
import type { Mutation } from './wire/messages/mutation.js';

export interface HBaseMembershipStoreOptions extends HBaseTableOptions {
  readonly table?: string;
}

/** Asks HBase nothing yet. Closing the store leaves the client open. */
export function openHBaseMembershipStore(
  options: HBaseMembershipStoreOptions,
): MembershipStore & PartialMembershipSource & Preparable {
  const name = options.table === undefined ? MEMBERSHIP_TABLE : utf8Bytes(options.table);
  return new HBaseMembershipStore(new HBaseTable(tableSchema(name, MEMBERSHIP_FAMILY), options));
}

class HBaseMembershipStore
  extends HBaseRowStore<Memberships>
  implements MembershipStore, PartialMembershipSource
{
  constructor(table: HBaseTable) {
    super(table, readMemberships);
  }

  async getEach(
    uids: readonly string[],
    options?: ReadOptions,
  ): Promise<readonly (Memberships | QuanrenError)[]> {
    for (const uid of uids) checkUid(uid);
    return this.table.readApart(uids, readMemberships, options);
  }

  async apply(changes: readonly MembershipChange[], nowMs: number): Promise<ApplyResult> {
    for (const { uid, crowdCode, changeTimeMs } of changes) checkChange(uid, crowdCode, changeTimeMs);
    const { admitted, result } = admitChanges(changes, nowMs);
    await this.table.write(admitted.map((change) => this.#mutation(change)));
    return result;
  }

  async *scanCrowd(crowdCode: string): AsyncGenerator<{ uid: string; changeTimeMs: number }> {
    this.table.requireOpen();
    await this.table.prepare();
    const range = {
      startRow: EMPTY,
      includesStartRow: true,
      stopRow: EMPTY,
      columns: [{ family: MEMBERSHIP_FAMILY, qualifiers: [utf8Bytes(crowdCode)] }],
    };
    for await (const rows of this.table.client.scan(this.table.schema.table, range)) {
      for (const { key, cells } of rows) {
        const [cell] = cells;
        if (cell === undefined) continue;
        yield { uid: uidOfRowKey(utf8Text(key), this.table.buckets), changeTimeMs: cell.timestampMs };
      }
    }
  }

  #mutation({ uid, crowdCode, kind, changeTimeMs }: MembershipChange): Mutation {
    const row = this.table.row(uid);
    const version = { family: MEMBERSHIP_FAMILY, qualifier: utf8Bytes(crowdCode), timestampMs: changeTimeMs };
    return kind === 'enter'
      ? { kind: 'put', row, cells: [{ ...version, value: utf8Bytes(String(changeTimeMs)) }] }
      : { kind: 'delete', row, cells: [version] };
  }
}

/** Crowd codes are ASCII, so their bytes are their text. */
function readMemberships(cells: CellBlockReader, count: number): Memberships {
  const memberships = new Map<string, number>();
  for (let i = 0; i < count; i += 1) {
    cells.next();
    memberships.set(cells.qualifier, cells.timestampMs);
  }
  return memberships;
}
