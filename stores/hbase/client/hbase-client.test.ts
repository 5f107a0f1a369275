/** The client over servers that say what the test wants (test/support/fake-hbase.ts): what it does about it, and how it asks. */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FAKE_TABLE, FakeHBase, type Refusal } from '../../../test/support/fake-hbase.js';
import { until } from '../../../test/support/until.js';
import { utf8Bytes } from '../wire/byte-string.js';
import { readCells } from '../wire/cell-block.js';
import type { HBaseClient } from './hbase-client.js';

const ROWS = Array.from({ length: 10 }, (_, i) => utf8Bytes(`user${i}`));

const started: FakeHBase[] = [];
afterEach(() => {
  for (const fake of started.splice(0)) fake.stop();
});

async function start(servers = 1): Promise<FakeHBase> {
  const fake = await FakeHBase.start(servers);
  started.push(fake);
  return fake;
}

/** Each row has its own key as its value. */
async function readAll(client: HBaseClient, rows = ROWS): Promise<void> {
  const found = await client.getRows(FAKE_TABLE, rows);
  assert.deepEqual(
    found.map((cells) => cells.map(({ value }) => value)),
    rows.map((row) => [row]),
  );
}

describe('what the client is refused, it gets over', () => {
  /** Refuses the first two times, once `client` knows where the region is; returns the causes that it told. */
  async function refused(fake: FakeHBase, refusal: Refusal, times = 2): Promise<Map<string, number>> {
    const causes = new Map<string, number>();
    const client = fake.connect({
      onRetry: (cause, rows) => causes.set(cause, (causes.get(cause) ?? 0) + rows),
    });
    await readAll(client);
    fake.multis.length = 0;
    let refusals = 0;
    fake.decide = () => {
      refusals += 1;
      return refusals <= times ? refusal : undefined;
    };
    await readAll(client);
    return causes;
  }

  for (const [of, name] of [
    ['call', 'CallQueueTooBigException'],
    ['call', 'ipc.CallDroppedException'],
    ['region', 'RegionTooBusyException'],
  ] as const) {
    it(`${name} of a ${of}: it waits, and asks the same server again`, async () => {
      const fake = await start();
      const causes = await refused(fake, { of, exception: `org.apache.hadoop.hbase.${name}` });
      assert.deepEqual([...causes], [[name.slice(name.lastIndexOf('.') + 1), 2 * ROWS.length]]);
      assert.equal(fake.metaReads, 1, 'the region is where it was');
      const [first = 0, second = 0, third = 0] = fake.multis.map(({ atMs }) => atMs);
      assert.equal(fake.multis.length, 3);
      assert.ok(second - first >= 5 && third - second >= 10, `${second - first} ms, ${third - second} ms`);
    });
  }

  for (const name of ['RegionMovedException', 'NotServingRegionException']) {
    it(`${name}: it looks up where the region is, and asks there at once`, async () => {
      const fake = await start(2);
      const client = fake.connect({ onRetry: (cause, rows) => causes.push([cause, rows]) });
      const causes: [string, number][] = [];
      await readAll(client);
      fake.holder = 1;
      fake.decide = ({ server }) =>
        server === 1 ? undefined : { of: 'region', exception: `org.apache.hadoop.hbase.exceptions.${name}` };
      await readAll(client);
      assert.deepEqual(causes, [[name, ROWS.length]]);
      assert.deepEqual(
        fake.multis.map(({ server }) => server),
        [0, 0, 1],
      );
      assert.equal(fake.metaReads, 2);
      await readAll(client);
      assert.equal(fake.multis.at(-1)?.server, 1);
    });
  }

  it('NotServingRegionException while the region is open nowhere: it asks less and less often', async () => {
    const fake = await start();
    const exception = 'org.apache.hadoop.hbase.NotServingRegionException';
    fake.decide = () => ({ of: 'region', exception });
    await assert.rejects(fake.connect().getRows(FAKE_TABLE, ROWS, {}, { timeoutMs: 500 }), {
      code: 'unavailable',
      message: /within 500 ms \(it answered NotServingRegionException/,
    });
    assert.ok(fake.multis.length >= 3 && fake.multis.length <= 10, `${fake.multis.length} attempts`);
  });

  it('MultiActionResultTooLarge: it asks at once for the rows that are missing, and no others', async () => {
    const fake = await start();
    const exception = 'org.apache.hadoop.hbase.MultiActionResultTooLarge';
    const causes = await refused(fake, { of: 'rows', fromRow: 4, exception });
    assert.deepEqual(
      fake.multis.map(({ rows }) => rows),
      [ROWS, ROWS.slice(4), ROWS.slice(8)],
    );
    assert.deepEqual([...causes], [['MultiActionResultTooLarge', 6 + 2]]);
  });

  it('but for what would be refused again', async () => {
    const fake = await start();
    const exception = 'org.apache.hadoop.hbase.regionserver.NoSuchColumnFamilyException';
    await assert.rejects(refused(fake, { of: 'rows', fromRow: 9, exception }), { code: 'set_up' });
    assert.equal(fake.multis.length, 1);
  });
});

function openPromise(): { readonly promise: Promise<undefined>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<undefined>((done) => {
    resolve = () => done(undefined);
  });
  return { promise, resolve };
}

describe('how the client asks', () => {
  const manyRows = (count: number) => Array.from({ length: count }, (_, i) => utf8Bytes(`row${i}`));

  it('puts gets that come together into few Multis, of which few are under way', async () => {
    const fake = await start();
    const client = fake.connect();
    await readAll(client);
    fake.multis.length = 0;
    let underWay = 0;
    let most = 0;
    fake.decide = async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      await sleep(5);
      underWay -= 1;
      return undefined;
    };
    const rows = manyRows(5_000);
    await Promise.all(rows.map((row) => readAll(client, [row])));
    const sizes = fake.multis.map((multi) => multi.rows.length);
    assert.deepEqual(fake.multis.flatMap((multi) => multi.rows).sort(), [...rows].sort());
    assert.ok(Math.max(...sizes) <= 256 && sizes.length <= 40, sizes.join());
    assert.ok(most > 1 && most <= 8, `${most} under way`);
  });

  it('sends a row that is alone at once', async () => {
    const fake = await start();
    const client = fake.connect();
    await readAll(client);
    let quickestMs = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 50; i += 1) {
      const askedAtMs = performance.now();
      await readAll(client, ROWS.slice(0, 1));
      quickestMs = Math.min(quickestMs, (fake.multis.at(-1)?.atMs ?? 0) - askedAtMs);
    }
    // A row that waits for others does so for 2 ms.
    assert.ok(quickestMs < 1, `${quickestMs} ms`);
  });

  it('asks a server that is slow for fewer rows at once, and for more when it is quick again', async () => {
    const fake = await start();
    const client = fake.connect();
    let [slowMs, rowsUnderWay, isOver] = [0, 0, false];
    let most = 0;
    fake.decide = async ({ rows }) => {
      rowsUnderWay += rows.length;
      most = Math.max(most, rowsUnderWay);
      await sleep(slowMs);
      rowsUnderWay -= rows.length;
      return undefined;
    };
    const load = manyRows(40).map(async () => {
      while (!isOver) await client.readRows(FAKE_TABLE, manyRows(100), readCells);
    });
    const limit = () => client.servers()[0]?.rowLimit ?? 0;
    await sleep(300);
    assert.equal(limit(), 2_048);
    slowMs = 120;
    await until('the limit follows a slow server', () => limit() < 1_000);
    // What was asked before has been answered.
    await sleep(2 * slowMs);
    most = 0;
    const before = limit();
    await sleep(2 * slowMs);
    assert.ok(most > 0 && most <= before, `${most} rows under way`);
    slowMs = 0;
    await until('the limit follows a quick server', () => limit() > before + 300);
    isOver = true;
    await Promise.all(load);
  });

  it('refuses what is more than it may hold, and takes as much again when callers have given up', async () => {
    const fake = await start();
    const client = fake.connect({ maxOperations: ROWS.length });
    await readAll(client);
    const { promise, resolve } = openPromise();
    fake.decide = () => promise;
    for (let round = 0; round < 3; round += 1) {
      const waiting = client.getRows(FAKE_TABLE, ROWS, {}, { timeoutMs: 100 });
      await assert.rejects(client.getRows(FAKE_TABLE, ROWS.slice(0, 1)), { code: 'overloaded' });
      await assert.rejects(waiting, { code: 'unavailable' });
    }
    resolve();
    await readAll(client);
  });
});
