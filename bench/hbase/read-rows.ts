/**
 * One client in a process of its own, so that its CPU is its own: reads random rows for some seconds and prints
 * `{"rows":…,"allRows":…,"seconds":…,"cpuMicros":…}`; `allRows` has those of the warm-up too.
 *
 *   node read-rows.js CLIENT BOOTSTRAP ZOOKEEPER MODE USERS SECONDS
 *
 * CLIENT: `quanren` or `hbase-rpc-client`. MODE: `single:64` (so many gets under way, each begun when one ends) or
 * `batch:512` (so many rows under way, in batches of 128).
 */
import hbase from 'hbase-rpc-client';
import { HBaseClient } from '../../stores/hbase/client/hbase-client.js';
import { MEMBERSHIP_TABLE, rowOfUid } from '../../stores/hbase/tables.js';
import type { ByteString } from '../../stores/hbase/wire/byte-string.js';

const [client = '', bootstrap = '', zookeeper = '', mode = '', users = '', seconds = ''] =
  process.argv.slice(2);
const WARM_UP_MS = 2_000;
const BATCH = 128;

let state = process.pid | 1;
function randomRow(): ByteString {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return rowOfUid(`user_${(state >>> 0) % Number(users)}`, 10);
}

/** Reads so many rows; rejects when one of them is missing. */
type ReadRows = (count: number) => Promise<void>;

function checkCells(count: number): void {
  if (count < 1) throw new Error('A row is missing.');
}

function quanren(): ReadRows {
  const nodes = bootstrap.split(',').map((address) => {
    const [host = '', port] = address.split(':');
    return { host, port: Number(port) };
  });
  const reader = new HBaseClient({ nodes });
  return async (count) => {
    const rows: ByteString[] = [];
    while (rows.length < count) rows.push(randomRow());
    for (const cells of await reader.getRows(MEMBERSHIP_TABLE, rows)) checkCells(cells.length);
  };
}

function hbaseRpcClient(): ReadRows {
  const reader = hbase({ zookeeperHosts: [zookeeper], tcpNoDelay: true });
  reader.on('error', (error) => {
    throw error;
  });
  const get = (row: string) =>
    new Promise<void>((resolve, reject) => {
      reader.get(MEMBERSHIP_TABLE, new hbase.Get(row), (error, result) => {
        if (error !== null) reject(error);
        else if (!result) reject(new Error('A row is missing.'));
        else resolve();
      });
    });
  // Its mget answers out of order and gives rows that are missing no key: its gets go out together instead.
  return async (count) => {
    const gets: Promise<void>[] = [];
    while (gets.length < count) gets.push(get(randomRow()));
    await Promise.all(gets);
  };
}

const readRows = client === 'quanren' ? quanren() : hbaseRpcClient();
const [kind = '', inFlight = ''] = mode.split(':');
const size = kind === 'single' ? 1 : BATCH;
let rows = 0;
let isOver = false;
const loops = Array.from({ length: Number(inFlight) / size }, async () => {
  while (!isOver) {
    await readRows(size);
    rows += size;
  }
});
await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
const cpu = process.cpuUsage();
const startedMs = performance.now();
const before = rows;
await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000));
const result = { rows: rows - before, allRows: rows, seconds: (performance.now() - startedMs) / 1_000 };
const { user, system } = process.cpuUsage(cpu);
process.stdout.write(`${JSON.stringify({ ...result, cpuMicros: user + system })}\n`);
isOver = true;
await Promise.all(loops);
process.exit(0);
