/**
 * Both stores over a real HBase keep their contracts, whatever HBase does with its files meanwhile: after some of the
 * changes, memory is flushed to files, and after some of those the files are compacted.
 */
import { after, before, describe } from 'node:test';
import { HBaseAdmin } from '../../../stores/hbase/admin/hbase-admin.js';
import type { HBaseClient } from '../../../stores/hbase/client/hbase-client.js';
import { openHBaseMembershipStore } from '../../../stores/hbase/hbase-membership-store.js';
import { openHBaseRealtimeTagStore } from '../../../stores/hbase/hbase-realtime-tag-store.js';
import {
  MEMBERSHIP_FAMILY,
  MEMBERSHIP_TABLE,
  REALTIME_TAG_FAMILY,
  REALTIME_TAG_TABLE,
  tableSchema,
} from '../../../stores/hbase/tables.js';
import { type ByteString, utf8Bytes } from '../../../stores/hbase/wire/byte-string.js';
import {
  describeMembershipStoreContract,
  type StorePlace,
} from '../../../stores/membership-store.contract.js';
import { describeRealtimeTagStoreContract } from '../../../stores/realtime-tag-store.contract.js';
import { startTestHBase, type TestHBase } from '../../support/hbase.js';

/** Two regions and not ten: each takes time to be emptied, and the contract empties the store hundreds of times. */
const SPLIT_KEYS = [utf8Bytes('5_')];
/** The contract's changes are of a fixed day, which HBase's clock may be long past: departures are kept nonetheless. */
const FOR_EVER_MS = 100 * 365 * 24 * 3_600_000;
const FLUSH_EVERY = 5;
const COMPACT_EVERY = 15;

describe('HBase', () => {
  let hbase: TestHBase;

  before(async () => {
    hbase = await startTestHBase();
  });
  after(() => hbase.remove());

  /** A store whose every fifth change is flushed, and every fifteenth compacted as well. */
  function placeOf<
    Store extends { apply(changes: never, nowMs: number): Promise<unknown>; close(): Promise<void> },
  >(
    table: ByteString,
    family: ByteString,
    openStore: (client: HBaseClient) => Promise<Store>,
  ): () => Promise<StorePlace<Store>> {
    let applied = 0;
    const open = async () => {
      const client = hbase.connect();
      const admin = new HBaseAdmin(client);
      await admin.createTable(tableSchema(table, family, FOR_EVER_MS), SPLIT_KEYS);
      const store = await openStore(client);
      const apply = store.apply.bind(store);
      const close = store.close.bind(store);
      return Object.assign(store, {
        apply: async (changes: never, nowMs: number) => {
          const result = await apply(changes, nowMs);
          applied += 1;
          if (applied % FLUSH_EVERY === 0) await admin.flush(table);
          if (applied % COMPACT_EVERY === 0) await admin.majorCompact(table);
          return result;
        },
        close: async () => {
          await close();
          client.close();
        },
      });
    };
    return () => Promise.resolve({ open, remove: () => Promise.resolve() });
  }

  describeMembershipStoreContract(
    'HBaseMembershipStore',
    placeOf(MEMBERSHIP_TABLE, MEMBERSHIP_FAMILY, async (client) => openHBaseMembershipStore({ client })),
  );
  describeRealtimeTagStoreContract(
    'HBaseRealtimeTagStore',
    placeOf(REALTIME_TAG_TABLE, REALTIME_TAG_FAMILY, async (client) => openHBaseRealtimeTagStore({ client })),
  );
});
