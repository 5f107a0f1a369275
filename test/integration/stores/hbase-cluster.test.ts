/**
 * The HBase client over two region servers: regions move, the master or a server is killed, a server is stopped without a word. Reads
 * that fail do so early, none is wrong, nothing acknowledged is lost, and all is well again without help.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerProcess } from '../../../engines/server-process.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { HBaseAdmin } from '../../../stores/hbase/admin/hbase-admin.js';
import type { HBaseClient } from '../../../stores/hbase/client/hbase-client.js';
import type { Region } from '../../../stores/hbase/locate/region.js';
import { splitKeys, tableSchema } from '../../../stores/hbase/tables.js';
import { type ByteString, utf8Bytes } from '../../../stores/hbase/wire/byte-string.js';
import { readCells } from '../../../stores/hbase/wire/cell-block.js';
import { startSecondMaster, startTestHBase, type TestHBase } from '../../support/hbase.js';
import { until } from '../../support/until.js';

const TABLE = utf8Bytes('cluster');
const CF = utf8Bytes('cf');
const A = utf8Bytes('a');
const ROWS = Array.from({ length: 1_000 }, (_, i) => utf8Bytes(`${i % 10}_user${i}`));
const READ_TIMEOUT_MS = 1_000;
/** A region that moves is away while its memory is flushed and its log opened: seconds, on a busy machine. */
const PATIENT_TIMEOUT_MS = 20_000;
/** A region server is given up after 6 s, and its log is split and replayed. */
const RECOVERY_MS = 60_000;

/** From when its region is served again. */
const RECOVERED_WITHIN_MS = 5_000;

/** When it was begun and when it ended, by `performance.now`. */
interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

interface Tally {
  /** Reads of which every row was answered. */
  good: number;
  /** Rows that a read did not get. */
  readonly failures: (Span & { readonly row: ByteString })[];
  readonly writes: Span[];
}

describe('the HBase client over two region servers', () => {
  let hbase: TestHBase;
  let client: HBaseClient;
  let admin: HBaseAdmin;
  /** The newest write of each row that was acknowledged, and the newest that was begun. */
  const acknowledged = new Map<string, number>();
  const begun = new Map<string, number>();
  let clockMs = 1;
  /** What the client was told and got over. */
  const causes = new Set<string>();

  before(async () => {
    hbase = await startTestHBase({ regionServers: 2 });
    client = hbase.connect({ onRetry: (cause) => causes.add(cause) });
    admin = new HBaseAdmin(client);
    await admin.createTable(tableSchema(TABLE, CF), splitKeys(10));
    await write(ROWS);
  });
  after(async () => {
    client.close();
    await hbase.remove();
  });

  async function write(rows: readonly ByteString[]): Promise<void> {
    clockMs += 1;
    const timestampMs = clockMs;
    const value = utf8Bytes(String(timestampMs));
    for (const row of rows) begun.set(row, timestampMs);
    await client.mutate(
      TABLE,
      rows.map((row) => ({ kind: 'put', row, cells: [{ family: CF, qualifier: A, timestampMs, value }] })),
      { timeoutMs: RECOVERY_MS },
    );
    for (const row of rows) acknowledged.set(row, Math.max(timestampMs, acknowledged.get(row) ?? 0));
  }

  /** Asserts what is read; returns the rows for which HBase could not answer. */
  async function read(
    rows: readonly ByteString[],
    timeoutMs = READ_TIMEOUT_MS,
  ): Promise<readonly ByteString[]> {
    const least = rows.map((row) => acknowledged.get(row) ?? 0);
    const failsFast = timeoutMs === READ_TIMEOUT_MS;
    const found = await client.readRowsApart(TABLE, rows, readCells, { timeoutMs, failsFast });
    return rows.filter((row, i) => {
      const outcome = found[i];
      if (outcome instanceof QuanrenError) {
        assert.equal(outcome.code, 'unavailable');
        return true;
      }
      const timestampMs = outcome?.[0]?.timestampMs ?? 0;
      assert.ok(timestampMs >= (least[i] ?? 0) && timestampMs <= (begun.get(row) ?? 0), `${row} is wrong`);
      return false;
    });
  }

  /** Reads and writes without a pause while `happen` goes on; then all rows can be read again. */
  async function underLoad(happen: () => Promise<void>, timeoutMs = READ_TIMEOUT_MS): Promise<Tally> {
    const tally: Tally = { good: 0, failures: [], writes: [] };
    let isOver = false;
    const readers = Array.from({ length: 8 }, async (_, number) => {
      for (let i = number * 100; !isOver; i = (i + 13) % ROWS.length) {
        const fromMs = performance.now();
        const failed = await read(ROWS.slice(i, i + 5), timeoutMs);
        const span = { fromMs, toMs: performance.now() };
        if (failed.length === 0) tally.good += 1;
        else {
          for (const row of failed) tally.failures.push({ ...span, row });
          await sleep(5);
        }
      }
    });
    const writers = Array.from({ length: 2 }, async (_, number) => {
      for (let i = number * 500; !isOver; i = (i + 17) % ROWS.length) {
        const fromMs = performance.now();
        await write(ROWS.slice(i, i + 10));
        tally.writes.push({ fromMs, toMs: performance.now() });
      }
    });
    const load = [...readers, ...writers];
    try {
      await Promise.race([happen(), ...load]);
    } finally {
      isOver = true;
    }
    await Promise.all(load);
    assert.deepEqual(await read(ROWS, timeoutMs), []);
    return tally;
  }

  async function allReadable(): Promise<void> {
    const untilMs = Date.now() + RECOVERY_MS;
    while ((await read(ROWS)).length > 0) {
      assert.ok(Date.now() < untilMs, 'HBase did not recover.');
      await sleep(50);
    }
  }

  /** When somebody who knows nothing yet can read a row of the region. */
  async function servedAtMs(region: Region): Promise<number> {
    const row = ROWS.find((each) => isIn(region, each)) ?? A;
    return await until(
      'The region is served',
      async () => {
        const stranger = hbase.connect();
        try {
          await stranger.getRows(TABLE, [row], {}, { timeoutMs: 500 });
          return performance.now();
        } catch {
          return undefined;
        } finally {
          stranger.close();
        }
      },
      RECOVERY_MS,
    );
  }

  function serverThatHolds(address: { readonly port: number }): ServerProcess {
    const { ports } = hbase.engine;
    const name = Object.keys(ports).find((each) => ports[each] === address.port);
    return hbase.engine.process(name ?? '');
  }

  it('follows regions that move', async () => {
    const tally = await underLoad(async () => {
      for (const region of (await admin.regions(TABLE)).slice(0, 4)) {
        await admin.moveRegion(region);
        await sleep(200);
      }
    }, PATIENT_TIMEOUT_MS);
    assert.deepEqual(tally.failures, []);
    assert.ok(causes.has('RegionMovedException'), [...causes].join());
  });

  it('reads what the other server has while one is away, also in one batch with what it has not', async () => {
    const regions = await admin.regions(TABLE);
    const port = regions[0]?.server.port;
    const server = serverThatHolds({ port: port ?? 0 });
    const held = (key: string) => regions.findLast(({ info }) => info.startKey <= key)?.server.port === port;
    const rows = ROWS.slice(0, 100);
    const [theirs, others] = [rows.filter(held), rows.filter((row) => !held(row))];
    assert.ok(theirs.length > 0 && others.length > 0);
    await server.pause();
    try {
      await client.readRowsApart(TABLE, rows, readCells, { timeoutMs: READ_TIMEOUT_MS, failsFast: true });
      await sleep(500);
      const startedMs = performance.now();
      const found = await client.readRowsApart(TABLE, rows, readCells, {
        timeoutMs: READ_TIMEOUT_MS,
        failsFast: true,
      });
      assert.ok(performance.now() - startedMs < READ_TIMEOUT_MS / 2, 'those who wait fail early');
      for (const [i, row] of rows.entries()) {
        const outcome = found[i];
        if (held(row)) assert.equal(outcome instanceof QuanrenError && outcome.code, 'unavailable');
        else assert.ok(Array.isArray(outcome) && outcome.length === 1, row);
      }
    } finally {
      await server.resume();
    }
    await allReadable();
  });

  it('serves without a master, and goes to the next one where it takes one, and back', async () => {
    const [region] = await admin.regions(TABLE);
    assert.ok(region !== undefined);
    const second = await startSecondMaster(hbase);
    const tally = await underLoad(async () => {
      await hbase.engine.process('master').kill();
      await sleep(500);
      const stranger = hbase.connect();
      const found = await stranger.getRows(TABLE, ROWS, {}, { timeoutMs: PATIENT_TIMEOUT_MS });
      assert.ok(found.every((cells) => cells.length === 1));
      stranger.close();
      await admin.moveRegion(region);
      assert.equal((await client.registry.findMaster())?.port, second.port);
      second.kill();
      const moved = admin.moveRegion(region);
      await hbase.engine.start();
      await moved;
      assert.equal((await client.registry.findMaster())?.port, hbase.engine.ports.master);
    }, PATIENT_TIMEOUT_MS).finally(second.kill);
    assert.deepEqual(tally.failures, []);
  });

  it('gets over a server that is killed and comes back, and fails only for what it held', async (t) => {
    const regions = await admin.regions(TABLE);
    const port = regions[0]?.server.port ?? 0;
    const lost = regions.filter(({ server }) => server.port === port);
    assert.ok(lost.length > 0 && lost.length < regions.length);
    const server = serverThatHolds({ port });
    const backAtMs = new Map<Region, number>();
    let killedAtMs = 0;
    const tally = await underLoad(async () => {
      await sleep(500);
      killedAtMs = performance.now();
      await server.kill();
      await Promise.all([
        sleep(1_000).then(() => hbase.engine.start()),
        ...lost.map(async (region) => backAtMs.set(region, await servedAtMs(region))),
      ]);
      await sleep(RECOVERED_WITHIN_MS);
    });
    const allBackAtMs = Math.max(...backAtMs.values());
    const late = tally.failures.map(({ row, toMs }) => {
      const region = lost.find((each) => isIn(each, row));
      assert.ok(region !== undefined, `${row} was not on the server that was killed`);
      return Math.max(0, toMs - (backAtMs.get(region) ?? 0));
    });
    const lateWrites = tally.writes
      .filter(({ fromMs, toMs }) => fromMs < allBackAtMs && toMs > allBackAtMs)
      .map(({ toMs }) => toMs - allBackAtMs);
    t.diagnostic(
      JSON.stringify({
        good: tally.good,
        failed: tally.failures.length,
        writes: tally.writes.length,
        awayMs: Array.from(backAtMs.values(), (atMs) => Math.round(atMs - killedAtMs)),
        lastFailureAfterMs: Math.round(Math.max(0, ...late)),
        lastWriteAfterMs: Math.round(Math.max(0, ...lateWrites)),
      }),
    );
    assert.ok(
      tally.failures.every(({ fromMs, toMs }) => toMs > killedAtMs && toMs - fromMs < 2 * READ_TIMEOUT_MS),
    );
    assert.ok([...late, ...lateWrites].every((afterMs) => afterMs < RECOVERED_WITHIN_MS));
    assert.ok(tally.good > 0 && tally.writes.some(({ toMs }) => toMs > allBackAtMs));
  });

  it('gets over a server that is stopped without a word, and goes on', async (t) => {
    const [region] = await admin.regions(TABLE);
    assert.ok(region !== undefined);
    const server = serverThatHolds(region.server);
    let resumedAtMs = 0;
    const tally = await underLoad(async () => {
      await sleep(500);
      await server.pause();
      await sleep(3_000);
      await server.resume();
      resumedAtMs = performance.now();
      await sleep(3_000);
    });
    const recoveredAfterMs = Math.max(...tally.failures.map(({ toMs }) => toMs)) - resumedAtMs;
    t.diagnostic(JSON.stringify({ good: tally.good, failed: tally.failures.length, recoveredAfterMs }));
    assert.ok(tally.good > 0 && tally.failures.length > 0);
    assert.ok(recoveredAfterMs < RECOVERED_WITHIN_MS);
  });
});

function isIn({ info: { startKey, endKey } }: Region, row: ByteString): boolean {
  return startKey <= row && (endKey === '' || row < endKey);
}
