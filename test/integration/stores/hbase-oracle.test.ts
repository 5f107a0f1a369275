/**
 * Our HBase client, hbase-rpc-client, HBase's own Java client and a naive model see the same, whichever of the first two
 * wrote it, before and after flushes and compactions:
 *
 *   OPERATIONS=100000 SEED=7 node dist/test/integration/stores/hbase-oracle.test.js
 *
 * An operation is a put, a deletion, or a read of a row by both clients. Each row is of one lane, which does its
 * operations one after the other; the lanes go side by side. After every ROUND operations the Java client, and scans and
 * gets of ours, are asked for all cells, and for those of some columns from some time on.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import hbaseRpcClient from 'hbase-rpc-client';
import { HBaseAdmin } from '../../../stores/hbase/admin/hbase-admin.js';
import type { HBaseClient } from '../../../stores/hbase/client/hbase-client.js';
import { tableSchema } from '../../../stores/hbase/tables.js';
import { type ByteString, EMPTY, utf8Bytes } from '../../../stores/hbase/wire/byte-string.js';
import type { Cell } from '../../../stores/hbase/wire/cell-block.js';
import { Random } from '../../differential/random.js';
import { startTestHBase, type TestHBase } from '../../support/hbase.js';
import { runJavaPeer } from '../../support/hbase-java-peer.js';

const TABLE = utf8Bytes('oracle');
const CF = utf8Bytes('cf');
const QUALIFIERS = ['a', 'b', 'c', 'long_crowd_code'].map(utf8Bytes);
const LANES = 64;
const ROWS_PER_LANE = 5;
const ALL_ROWS = Array.from({ length: LANES * ROWS_PER_LANE }, (_, index) =>
  utf8Bytes(`${index % 10}_user${index}`),
);
const T = Date.now() - 1_000_000;
/** Few times, so that ties and older changes are common; a time decides a value, as ties of values would not. */
const TIMES = 50;
const FLUSH_EVERY = 4_000;
const ROUND = 10_000;

/** What a row has: qualifier → timestamp and value, sorted by qualifier. */
type Seen = readonly (readonly [string, number, string])[];

interface Column {
  put: { readonly timestampMs: number; readonly value: string } | undefined;
  deletedUpToMs: number;
}

describe('the HBase client and its oracle', () => {
  const operations = Number(process.env.OPERATIONS ?? 20_000);
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
  let hbase: TestHBase;
  let ours: HBaseClient;
  let admin: HBaseAdmin;
  const model = new Map<string, Column>();

  before(async () => {
    hbase = await startTestHBase();
    ours = hbase.connect();
    admin = new HBaseAdmin(ours);
    await admin.createTable(tableSchema(TABLE, CF), [utf8Bytes('3_'), utf8Bytes('7_')]);
  });
  after(async () => {
    ours.close();
    await hbase.remove();
  });

  const column = (row: string, qualifier: string): Column => {
    const key = `${row}/${qualifier}`;
    let found = model.get(key);
    if (found === undefined) {
      found = { put: undefined, deletedUpToMs: -1 };
      model.set(key, found);
    }
    return found;
  };

  function expected(row: string, qualifiers: readonly string[] = QUALIFIERS, fromMs = 0): Seen {
    return qualifiers.flatMap((qualifier) => {
      const { put, deletedUpToMs } = column(row, qualifier);
      if (put === undefined || put.timestampMs <= deletedUpToMs || put.timestampMs < fromMs) return [];
      return [[qualifier, put.timestampMs, put.value] as const];
    });
  }

  const seen = (cells: readonly Cell[]): Seen =>
    cells.map(({ qualifier, timestampMs, value }) => [qualifier, timestampMs, value] as const);

  async function seenByUs(row: ByteString): Promise<Seen> {
    const [cells] = await ours.getRows(TABLE, [row]);
    return seen(cells ?? []);
  }

  /** Some columns and all that is not older than some time: with one version only the newest is sure to be there. */
  async function assertSameView(qualifiers: readonly ByteString[], fromMs: number): Promise<void> {
    const toMs = T + TIMES;
    const java = await runJavaPeer(['cells', hbase.zookeeper, TABLE, `${fromMs}`, `${toMs}`, ...qualifiers]);
    const projection = { columns: [{ family: CF, qualifiers }], timeRange: { fromMs, toMs } };
    const range = { startRow: EMPTY, includesStartRow: true, stopRow: EMPTY, ...projection };
    const scanned = new Map<string, Seen>();
    for await (const some of ours.scan(TABLE, range)) {
      for (const { key, cells } of some) scanned.set(key, seen(cells));
    }
    const got = await ours.getRows(TABLE, ALL_ROWS, projection);
    const lines = [];
    for (const [i, row] of ALL_ROWS.entries()) {
      const should = expected(row, [...qualifiers].sort(), fromMs);
      const what = `seed ${seed}: ${qualifiers} of ${row} from ${fromMs} on`;
      assert.deepEqual(seen(got[i] ?? []), should, `a get is wrong about ${what}`);
      assert.deepEqual(scanned.get(row) ?? [], should, `a scan is wrong about ${what}`);
      lines.push(...should.map((cell) => `${[row, ...cell].join('\t')}\n`));
    }
    assert.deepEqual(java.split('\n').sort(), lines.join('').split('\n').sort(), 'the Java client differs');
  }

  /** What the Java client and a scan of ours see of the whole table is what it should have. */
  async function assertSameTable(): Promise<void> {
    const seenByJava = new Map<string, [string, number, string][]>();
    for (const line of (await runJavaPeer(['cells', hbase.zookeeper, TABLE])).split('\n').slice(0, -1)) {
      const [row = '', qualifier = '', timestamp = '', value = ''] = line.split('\t');
      const cells = seenByJava.get(row) ?? [];
      cells.push([qualifier, Number(timestamp), value]);
      seenByJava.set(row, cells);
    }
    const scanned = new Map<string, Seen>();
    for await (const rows of ours.scan(TABLE, { startRow: EMPTY, includesStartRow: true, stopRow: EMPTY })) {
      for (const { key, cells } of rows) scanned.set(key, seen(cells));
    }
    for (const row of ALL_ROWS) {
      assert.deepEqual(scanned.get(row) ?? [], expected(row), `seed ${seed}: a scan is wrong about ${row}`);
      assert.deepEqual(
        seenByJava.get(row) ?? [],
        expected(row),
        `seed ${seed}: the Java client differs over ${row}`,
      );
    }
  }

  it(`${operations} operations, seed ${seed}, without a difference`, async (t) => {
    const theirs = hbaseRpcClient({ zookeeperHosts: [hbase.zookeeper], tcpNoDelay: true });
    // Without this it would keep the process.
    t.after(() => theirs.zk.close());
    const broken = new Promise<never>((_resolve, reject) => theirs.on('error', reject));
    broken.catch(() => undefined);
    const call = <T>(begin: (done: (error: Error | null, result: T) => void) => void): Promise<T> =>
      Promise.race([
        broken,
        new Promise<T>((resolve, reject) => {
          begin((error, result) => (error ? reject(error) : resolve(result)));
        }),
      ]);
    const seenByThem = async (row: string): Promise<Seen> => {
      const result = await call<Parameters<Parameters<typeof theirs.get>[2]>[1]>((done) =>
        theirs.get(TABLE, new hbaseRpcClient.Get(row), done),
      );
      return (result?.columns ?? []).map(
        ({ qualifier, timestamp, value }) =>
          [String(qualifier), Number(String(timestamp)), String(value)] as const,
      );
    };

    let done = 0;
    let maintenance = Promise.resolve();
    const lane = async (random: Random, number: number) => {
      for (let i = 0; i < Math.min(ROUND, operations) / LANES; i += 1) {
        const row = random.pick(ALL_ROWS.slice(number * ROWS_PER_LANE, (number + 1) * ROWS_PER_LANE));
        const qualifier = random.pick(QUALIFIERS);
        const timestampMs = T + random.int(TIMES);
        const value = utf8Bytes(`v${timestampMs % 1_000}`.repeat(1 + (timestampMs % 7)));
        const isByUs = random.int(2) === 0;
        const kind = random.int(4);
        const known = column(row, qualifier);
        if (kind === 0) {
          const cells = [{ family: CF, qualifier, timestampMs }];
          if (isByUs) await ours.mutate(TABLE, [{ kind: 'delete', row, cells }]);
          else {
            const deletion = new hbaseRpcClient.Delete(row);
            deletion.deleteColumns(CF, qualifier, timestampMs);
            await call((end) => theirs.delete(TABLE, deletion, end));
          }
          known.deletedUpToMs = Math.max(known.deletedUpToMs, timestampMs);
        } else if (kind === 1) {
          const cells = [{ family: CF, qualifier, timestampMs, value }];
          if (isByUs) await ours.mutate(TABLE, [{ kind: 'put', row, cells }]);
          else {
            const put = new hbaseRpcClient.Put(row);
            put.add(CF, qualifier, value, timestampMs);
            await call((end) => theirs.put(TABLE, put, end));
          }
          if (known.put === undefined || known.put.timestampMs <= timestampMs)
            known.put = { timestampMs, value };
        } else {
          const [us, them] = await Promise.all([seenByUs(row), seenByThem(row)]);
          assert.deepEqual(us, them, `seed ${seed}: the clients differ over ${row}`);
          assert.deepEqual(us, expected(row), `seed ${seed}: both are wrong about ${row}`);
        }
        done += 1;
        if (done % FLUSH_EVERY !== 0) continue;
        const compacts = (done / FLUSH_EVERY) % 3 === 0;
        maintenance = maintenance
          .then(() => admin.flush(TABLE))
          .then(() => (compacts ? admin.majorCompact(TABLE) : undefined));
      }
    };
    const randoms = Array.from({ length: LANES }, (_, number) => new Random(seed + number * 7_919));
    while (done < operations) {
      await Promise.all(randoms.map(lane));
      await maintenance;
      await assertSameTable();
      const [random = new Random(seed)] = randoms;
      const some = QUALIFIERS.filter(() => random.int(2) === 0);
      await assertSameView(some.length > 0 ? some : QUALIFIERS, T + random.int(TIMES));
    }
  });
});
