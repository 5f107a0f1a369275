/** Regions split, merge and are emptied under load: whoever reads and writes meanwhile notices nothing but time. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { HBaseAdmin } from '../../../stores/hbase/admin/hbase-admin.js';
import type { HBaseClient } from '../../../stores/hbase/client/hbase-client.js';
import { MEMBERSHIP_TABLE, REALTIME_TAG_TABLE, tableSchema } from '../../../stores/hbase/tables.js';
import { EMPTY, utf8Bytes } from '../../../stores/hbase/wire/byte-string.js';
import { writeOpenScanner } from '../../../stores/hbase/wire/messages/scan-request.js';
import { readScanResponse } from '../../../stores/hbase/wire/messages/scan-response.js';
import { openStores } from '../../../stores/open-stores.js';
import { locateStores } from '../../../stores/store-location.js';
import { createCertificate } from '../../support/certificate.js';
import { startTestHBase, type TestHBase } from '../../support/hbase.js';
import { runJavaPeer } from '../../support/hbase-java-peer.js';

const TABLE = utf8Bytes('regions');
const CF = utf8Bytes('cf');
const A = utf8Bytes('a');
/** What fits into one response; by default a hundred megabytes. */
const MAX_RESULT_BYTES = 300_000;
const ROWS = Array.from({ length: 2_000 }, (_, i) => utf8Bytes(`${i % 10}_user${i}`));
const WHOLE = { startRow: EMPTY, includesStartRow: true, stopRow: EMPTY };

describe('the HBase client follows regions', () => {
  let hbase: TestHBase;
  let client: HBaseClient;
  let admin: HBaseAdmin;
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quanren-hbase-tls-'));
  const [clientCertFile, clientKeyFile] = [
    path.join(folder, 'client.pem'),
    path.join(folder, 'client-key.pem'),
  ];
  const certificate = createCertificate();
  const clientCertificate = createCertificate();

  before(async () => {
    const keyFile = path.join(folder, 'server.pem');
    writeFileSync(keyFile, certificate.key + certificate.cert);
    writeFileSync(clientCertFile, clientCertificate.cert);
    writeFileSync(clientKeyFile, clientCertificate.key);
    hbase = await startTestHBase({
      settings: {
        'hbase.server.scanner.max.result.size': String(MAX_RESULT_BYTES),
        // Beside plain text, which the servers speak among themselves.
        'hbase.server.netty.tls.enabled': 'true',
        'hbase.rpc.tls.keystore.location': keyFile,
        'hbase.rpc.tls.keystore.type': 'PEM',
        // Clients show a certificate, as it is by default.
        'hbase.rpc.tls.truststore.location': clientCertFile,
        'hbase.rpc.tls.truststore.type': 'PEM',
      },
    });
    client = hbase.connect();
    admin = new HBaseAdmin(client);
    await admin.createTable(tableSchema(TABLE, CF), [utf8Bytes('5_'), utf8Bytes('8_')]);
    await client.mutate(
      TABLE,
      ROWS.map((row) => put(row, 1)),
    );
  });
  after(async () => {
    client.close();
    await hbase.remove();
    rmSync(folder, { recursive: true });
  });

  function put(row: typeof A, timestampMs: number) {
    const value = utf8Bytes(String(timestampMs));
    return { kind: 'put' as const, row, cells: [{ family: CF, qualifier: A, timestampMs, value }] };
  }

  /** Reads, writes and scans without a pause while `change` goes on; each answer is checked. */
  async function underLoad(change: () => Promise<void>): Promise<number> {
    let isOver = false;
    let answers = 0;
    let timestampMs = 2;
    const acknowledged = new Map<string, number>();
    const readAndWrite = async (from: number) => {
      for (let i = from; !isOver; i = (i + 37) % ROWS.length) {
        const rows = ROWS.slice(i, i + 20);
        const known = rows.map((row) => acknowledged.get(row) ?? 1);
        const cells = await client.getRows(TABLE, rows);
        for (const [at, known1] of known.entries()) {
          assert.ok((cells[at]?.[0]?.timestampMs ?? 0) >= known1, `${rows[at]} went back in time`);
        }
        const now = ++timestampMs;
        await client.mutate(
          TABLE,
          rows.map((row) => put(row, now)),
        );
        for (const row of rows) acknowledged.set(row, Math.max(now, acknowledged.get(row) ?? 0));
        answers += 1;
      }
    };
    const scan = async () => {
      while (!isOver) {
        assert.deepEqual(await scanKeys(), [...ROWS].sort());
        answers += 1;
      }
    };
    const load = [readAndWrite(0), readAndWrite(500), readAndWrite(1_000), scan()];
    try {
      await Promise.race([change(), ...load]);
    } finally {
      isOver = true;
    }
    await Promise.all(load);
    return answers;
  }

  async function scanKeys() {
    const keys = [];
    for await (const rows of client.scan(TABLE, WHOLE)) keys.push(...rows.map(({ key }) => key));
    return keys;
  }

  it('that are split', async () => {
    const answers = await underLoad(async () => {
      const [first] = await admin.regions(TABLE);
      assert.ok(first !== undefined);
      await admin.splitRegion(first, utf8Bytes('2_'));
    });
    assert.ok(answers > 0);
    const regions = await admin.regions(TABLE);
    assert.deepEqual(
      regions.map(({ info }) => info.startKey),
      ['', '2_', '5_', '8_'],
    );
  });

  it('that are merged', async () => {
    await underLoad(async () => {
      // The daughters of a split cannot be merged before their files are their own.
      const [first, second] = (await admin.regions(TABLE)).slice(2);
      assert.ok(first !== undefined && second !== undefined);
      await admin.mergeRegions([first, second]);
    });
    const regions = await admin.regions(TABLE);
    assert.deepEqual(
      regions.map(({ info }) => info.startKey),
      ['', '2_', '5_'],
    );
  });

  it('that another client emptied', async () => {
    const other = hbase.connect();
    await new HBaseAdmin(other).truncateTable(TABLE);
    other.close();
    assert.deepEqual(await scanKeys(), []);
    assert.deepEqual(await client.getRows(TABLE, ROWS.slice(0, 1)), [[]]);
  });

  it('and asks again for rows that did not fit into one response', async () => {
    const causes = new Set<string>();
    const other = hbase.connect({ onRetry: (cause) => causes.add(cause) });
    const value = utf8Bytes('x'.repeat(8_000));
    const rows = ROWS.slice(0, 200);
    await other.mutate(
      TABLE,
      rows.map((row) => ({
        kind: 'put',
        row,
        cells: [{ family: CF, qualifier: A, timestampMs: 1_000_000, value }],
      })),
    );
    const found = await other.getRows(TABLE, rows);
    assert.ok(found.every((cells) => cells[0]?.value === value));
    assert.ok(causes.has('MultiActionResultTooLarge'), [...causes].join());
    assert.equal((await scanKeys()).length, rows.length);
    other.close();
  });

  it('and speaks TLS where it is told to, to a server whose certificate it trusts', async () => {
    const tls = { ca: certificate.cert, servername: 'localhost', ...clientCertificate };
    const trusting = hbase.connect({ tls });
    await trusting.mutate(TABLE, [put(A, 1)]);
    const [cells] = await trusting.getRows(TABLE, [A]);
    assert.equal(cells?.length, 1);
    trusting.close();
    const doubting = hbase.connect({
      tls: { ...clientCertificate, servername: 'localhost' },
      timeoutMs: 1_000,
    });
    await assert.rejects(doubting.getRows(TABLE, [A]), {
      code: 'unavailable',
      message: /cannot be reached \(DEPTH_ZERO_SELF_SIGNED_CERT\)/,
    });
    doubting.close();
  });

  it('which lets nobody in who shows no certificate, or one that it does not trust', async () => {
    for (const shown of [{}, createCertificate()]) {
      const stranger = hbase.connect({
        tls: { ca: certificate.cert, servername: 'localhost', ...shown },
        timeoutMs: 1_000,
      });
      await assert.rejects(stranger.getRows(TABLE, [A]), {
        code: 'unavailable',
        message: /cannot be reached \(ERR_SSL_\w+CERTIFICATE/,
      });
      stranger.close();
    }
  });

  it('as the settings say it, for both stores', async () => {
    const caFile = path.join(folder, 'ca.pem');
    writeFileSync(caFile, certificate.cert);
    const location = locateStores('', {
      'hbase.nodes': hbase.nodes.map(({ host, port }) => `${host}:${port}`).join(),
      'hbase.user': 'app',
      'hbase.tls': true,
      'hbase.caFile': caFile,
      'hbase.certFile': clientCertFile,
      'hbase.keyFile': clientKeyFile,
    });
    const stores = openStores(location);
    const nowMs = Date.now();
    await stores.memberships.apply(
      [{ uid: 'u1', crowdCode: 'vip', kind: 'enter', changeTimeMs: nowMs }],
      nowMs,
    );
    await stores.tags.apply([{ uid: 'u1', tagCode: 'rt_a', value: 'x', changeTimeMs: nowMs }], nowMs);
    assert.deepEqual(await stores.memberships.get('u1'), new Map([['vip', nowMs]]));
    assert.deepEqual(await stores.tags.get('u1'), new Map([['rt_a', 'x']]));
    const [server, ...others] = stores.servers();
    assert.deepEqual(others, []);
    assert.ok(server !== undefined && !server.isAway && server.rowsInFlight === 0 && server.rowLimit > 0);
    await stores.close();
  });

  it('whose tables are as the design has them, also after they were emptied', async () => {
    const described = () => runJavaPeer(['describe', hbase.zookeeper, MEMBERSHIP_TABLE, REALTIME_TAG_TABLE]);
    const asDesigned = [
      'user_crowd_mapping\t10\tcf\tROW_INDEX_V1\tROW\t1\tNONE\thbase.hstore.time.to.purge.deletes=604800000\n',
      'user_realtime_tags\t10\trt\tROW_INDEX_V1\tROW\t1\tNONE\thbase.hstore.time.to.purge.deletes=604800000\n',
    ].join('');
    assert.equal(await described(), asDesigned);
    await admin.truncateTable(MEMBERSHIP_TABLE);
    await admin.truncateTable(REALTIME_TAG_TABLE);
    assert.equal(await described(), asDesigned);
  });

  it('a row that is wider than a response, whole and once', async () => {
    const wide = utf8Bytes('3_x2');
    const value = utf8Bytes('x'.repeat(8_000));
    const cells = Array.from({ length: 100 }, (_, i) => ({
      family: CF,
      qualifier: utf8Bytes(`c${String(i).padStart(2, '0')}`),
      timestampMs: i + 1,
      value,
    }));
    await client.mutate(TABLE, [
      put(utf8Bytes('3_x1'), 1),
      { kind: 'put', row: wide, cells },
      put(utf8Bytes('3_x3'), 1),
    ]);
    const range = { startRow: utf8Bytes('3_x'), includesStartRow: true, stopRow: utf8Bytes('3_y') };
    const region = (await admin.regions(TABLE)).findLast(({ info }) => info.startKey <= wide);
    assert.ok(region !== undefined);
    const { results } = await client.links.to(region.server, 'ClientService').call({
      method: 'Scan',
      write: (writer) => writeOpenScanner(writer, region.name, range, { rows: 10, bytes: 2 ** 20 }),
      read: readScanResponse,
      timeoutMs: 5_000,
    });
    assert.deepEqual(
      results.map(({ key, isPartial }) => [key, isPartial]),
      [
        ['3_x1', false],
        [wide, true],
      ],
    );
    const rows = [];
    for await (const some of client.scan(TABLE, range)) rows.push(...some);
    assert.deepEqual(
      rows.map(({ key, cells }) => [key, cells.length]),
      [
        ['3_x1', 1],
        [wide, cells.length],
        ['3_x3', 1],
      ],
    );
    assert.deepEqual(rows[1]?.cells, cells);
    assert.deepEqual(await client.getRows(TABLE, [wide]), [cells]);
  });

  it('of which it gives those cells that are of a time and a column', async () => {
    const cells = ['a', 'b', 'c', 'd'].map((qualifier, i) => ({
      ...{ family: CF, qualifier: utf8Bytes(qualifier), timestampMs: 10 + i, value: A },
    }));
    await client.mutate(TABLE, [{ kind: 'put', row: utf8Bytes('4_timed'), cells }]);
    for (const [projection, expected] of [
      [{ timeRange: { fromMs: 11, toMs: 13 } }, ['b', 'c']],
      [{ timeRange: { fromMs: 0, toMs: 10 } }, []],
      [{ columns: [{ family: CF, qualifiers: ['d', 'a', 'none'].map(utf8Bytes) }] }, ['a', 'd']],
      [{ columns: [{ family: CF, qualifiers: [] }], timeRange: { fromMs: 13, toMs: 14 } }, ['d']],
    ] as const) {
      const [found = []] = await client.getRows(TABLE, [utf8Bytes('4_timed')], projection);
      const scanned = [];
      const range = { startRow: utf8Bytes('4_t'), includesStartRow: true, stopRow: utf8Bytes('4_u') };
      for await (const rows of client.scan(TABLE, { ...range, ...projection })) scanned.push(...rows);
      for (const seen of [found, scanned.flatMap((row) => row.cells)]) {
        assert.deepEqual(
          seen.map(({ qualifier }) => qualifier),
          expected,
        );
      }
    }
  });

  it('and says that there is no such table or family', async () => {
    await assert.rejects(client.getRows(utf8Bytes('missing'), [A]), { code: 'set_up' });
    const elsewhere = { family: A, qualifier: A, timestampMs: 1, value: A };
    await assert.rejects(client.mutate(TABLE, [{ kind: 'put', row: A, cells: [elsewhere] }]), {
      code: 'set_up',
    });
  });
});
