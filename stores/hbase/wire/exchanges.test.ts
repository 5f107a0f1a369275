/**
 * The codecs against what a real HBase 2.6.4 was sent and answered (test/support/record-hbase-exchanges.ts), and
 * against a hundred thousand answers that were damaged on the way:
 *
 *   FRAMES=1000000 SEED=7 node dist/stores/hbase/wire/exchanges.test.js
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Random } from '../../../test/differential/random.js';
import { requestsToRecord, T, writeRequest } from '../../../test/support/hbase-requests.js';
import { regionsOf } from '../locate/meta-table.js';
import { bytesOf, EMPTY, utf8Bytes } from './byte-string.js';
import { CellBlockReader, readCells } from './cell-block.js';
import exchanges from './exchanges.json' with { type: 'json' };
import { readActiveMaster } from './messages/active-master.js';
import { ActionFailure, readMultiResponse } from './messages/multi-response.js';
import { readProcedureResult } from './messages/procedure-result.js';
import { readMetaRegionLocations } from './messages/region-location.js';
import { readStoreFiles } from './messages/region-maintenance.js';
import { readResponseHeader } from './messages/response-header.js';
import { readScanResponse } from './messages/scan-response.js';
import { readProcedureId } from './messages/table-procedures.js';
import { readTableState } from './messages/table-state.js';
import { ProtoReader } from './proto-reader.js';
import { ProtoWriter } from './proto-writer.js';
import { WireError } from './wire-error.js';

type Name = keyof typeof exchanges;
type Read = (reader: ProtoReader, cells: CellBlockReader) => unknown;

const readMetaScan: Read = (reader, cells) => regionsOf(readScanResponse(reader, cells).results);
const GET = { kind: 'get' as const, row: EMPTY, projection: {}, read: readCells };
const multi =
  (...counts: number[]): Read =>
  (reader, cells) =>
    readMultiResponse(
      reader,
      cells,
      counts.map((count) => ({ regionName: EMPTY, actions: new Array<typeof GET>(count).fill(GET) })),
    );

const READERS: Readonly<Record<Name, Read>> = {
  metaLocations: readMetaRegionLocations,
  activeMaster: readActiveMaster,
  metaScan: readMetaScan,
  multiGet: multi(3, 1),
  multiGetSome: multi(2),
  multiPut: multi(3),
  multiDelete: multi(2),
  multiConditional: multi(1, 1, 1, 1),
  multiNotServing: multi(1, 1),
  scan: readScanResponse,
  scanPartial: readScanResponse,
  scanNext: readScanResponse,
  scanClose: readScanResponse,
  scanNotServing: readScanResponse,
  unknownMethod: multi(),
  storeFiles: readStoreFiles,
  tableState: readTableState,
  tableMissing: readTableState,
  createTable: readProcedureId,
  procedureResult: readProcedureResult,
};
const NAMES = Object.keys(READERS) as Name[];
const FRAMES: ReadonlyMap<Name, Buffer> = new Map(
  NAMES.map((name) => [name, Buffer.from(exchanges[name].response, 'hex')]),
);

/** As a connection reads an answer. */
function decode(frame: Buffer, read: Read): { failure: string; answer: unknown } {
  const reader = new ProtoReader(frame);
  const header = reader.delimited(readResponseHeader);
  if (header.failure !== undefined) return { failure: header.failure.className, answer: undefined };
  const cellsStart = frame.length - header.cellBlockBytes;
  if (cellsStart < reader.position) throw new WireError('A cell block is longer than its frame.');
  const cells = new CellBlockReader(frame, cellsStart, frame.length);
  return { failure: '', answer: reader.delimited((message) => read(message, cells)) };
}

const answerTo = (name: Name) => decode(FRAMES.get(name) ?? Buffer.alloc(0), READERS[name]);

const cell = (qualifier: string, timestampMs = T, value = String(timestampMs)) => ({
  family: 'cf',
  qualifier,
  timestampMs,
  value,
});

describe('answers of HBase', () => {
  it('say where hbase:meta and the master are', () => {
    const { answer: locations } = answerTo('metaLocations');
    assert.ok(Array.isArray(locations));
    const [{ region, server }] = locations;
    assert.equal(region.table, 'hbase:meta');
    assert.equal(server.host, '127.0.0.1');
    assert.ok(server.port > 0 && server.startCode > 1_700_000_000_000);
    assert.equal((answerTo('activeMaster').answer as { host: string }).host, '127.0.0.1');
  });

  it('say which regions a table has', () => {
    const { regions } = answerTo('metaScan').answer as ReturnType<typeof regionsOf>;
    const keys = regions.map(({ info }) => [info.table, info.startKey, info.endKey, info.isSplit]);
    assert.deepEqual(keys, [
      ['recorded', '', '5_', false],
      ['recorded', '5_', '', false],
    ]);
    for (const { name, info, server } of regions) {
      assert.ok(name.startsWith(`recorded,${info.startKey},${info.regionId}.`));
      assert.equal(server.host, '127.0.0.1');
    }
  });

  it('hold the cells of rows', () => {
    assert.deepEqual(answerTo('multiGet').answer, [
      {
        results: [[cell('a'), cell('b', T + 1)], [], [cell('a')]],
        failure: undefined,
        hasProcessed: false,
      },
      { results: [[cell('long', T, 'x'.repeat(300))]], failure: undefined, hasProcessed: false },
    ]);
  });

  it('hold those of the columns and the times that were asked for', () => {
    const [region] = answerTo('multiGetSome').answer as ReturnType<typeof readMultiResponse>;
    assert.deepEqual(region?.results, [[cell('b', T + 1)], [cell('a')]]);
  });

  it('tell what was not done, action by action and region by region', () => {
    const [region] = answerTo('multiPut').answer as ReturnType<typeof readMultiResponse>;
    assert.deepEqual(region?.results.slice(0, 2), [[], [cell('a'), cell('b', T + 1)]]);
    const refused = region?.results[2];
    assert.ok(refused instanceof ActionFailure);
    assert.ok(refused.failure.className.endsWith('.NoSuchColumnFamilyException'));

    // HBase reads what a Multi asks for before it does what the Multi changes.
    assert.deepEqual(answerTo('multiDelete').answer, [
      { results: [[], [cell('a')]], failure: undefined, hasProcessed: false },
    ]);
    const [gone, served] = answerTo('multiNotServing').answer as ReturnType<typeof readMultiResponse>;
    assert.ok(gone?.failure?.className.endsWith('.NotServingRegionException'));
    assert.deepEqual(served?.results, [[cell('a'), cell('b', T + 1)]]);
  });

  it('tell whether a condition held', () => {
    const regions = answerTo('multiConditional').answer as ReturnType<typeof readMultiResponse>;
    assert.deepEqual(
      regions.map(({ hasProcessed }) => hasProcessed),
      [false, true, false, true],
    );
  });

  it('hold rows of a scan, whole and in parts', () => {
    const whole = answerTo('scan').answer as ReturnType<typeof readScanResponse>;
    assert.deepEqual(whole.results, [
      { key: '1_u1', cells: [cell('a'), cell('b', T + 1)], isPartial: false },
      { key: utf8Bytes('2_用户'), cells: [cell('a')], isPartial: false },
    ]);
    assert.equal(whole.hasMoreInRegion, true);
    const part = answerTo('scanPartial').answer as ReturnType<typeof readScanResponse>;
    assert.deepEqual(part.results, [{ key: '1_u1', cells: [cell('a')], isPartial: true }]);
    assert.equal(typeof part.scannerId, 'bigint');
    const next = answerTo('scanNext').answer as ReturnType<typeof readScanResponse>;
    assert.deepEqual(next.results, [{ key: '1_u1', cells: [cell('b', T + 1)], isPartial: false }]);
    const end = answerTo('scanClose').answer as ReturnType<typeof readScanResponse>;
    assert.deepEqual(end.results, []);
  });

  it('are exceptions', () => {
    assert.match(answerTo('scanNotServing').failure, /\.NotServingRegionException$/);
    assert.match(answerTo('unknownMethod').failure, /\.DoNotRetryIOException$/);
    assert.match(answerTo('tableMissing').failure, /\.TableNotFoundException$/);
  });

  it('tell of tables and procedures', () => {
    assert.equal(answerTo('tableState').answer, 'enabled');
    assert.equal(typeof answerTo('createTable').answer, 'number');
    assert.deepEqual(answerTo('procedureResult').answer, { isRunning: false, failure: undefined });
    const [file, ...others] = answerTo('storeFiles').answer as ReturnType<typeof readStoreFiles>;
    assert.match(file ?? '', /\/recorded\/[0-9a-f]{32}\/cf\/[0-9a-f]{32}$/);
    assert.deepEqual(others, []);
  });
});

describe('requests to HBase', () => {
  const { regions } = answerTo('metaScan').answer as ReturnType<typeof regionsOf>;
  const [first = EMPTY, second = EMPTY] = regions.map(({ name }) => name);
  const part = answerTo('scanPartial').answer as ReturnType<typeof readScanResponse>;
  const requests = requestsToRecord({ first, second, scannerId: () => part.scannerId ?? 0n });

  for (const name of NAMES) {
    it(`have the bytes that it took: ${name}`, () => {
      const writer = new ProtoWriter(16);
      writeRequest(writer, requests[name]);
      assert.equal(writer.finish().toString('hex'), exchanges[name].request);
    });
  }
});

/** What networks and broken servers do to a frame, one to four times. */
function damage(frame: Buffer, random: Random): Buffer {
  let damaged = Buffer.from(frame);
  for (let times = 1 + random.int(4); times > 0; times -= 1) {
    const at = random.int(damaged.length + 1);
    const kind = random.int(6);
    if (kind === 0) damaged = damaged.subarray(0, at);
    else if (kind === 1)
      damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(random.int(at + 1))]);
    else if (kind === 2) damaged = Buffer.concat([damaged, Buffer.alloc(random.int(20), random.int(256))]);
    else if (at < damaged.length) {
      if (kind === 3) damaged[at] = (damaged[at] ?? 0) ^ (1 << random.int(8));
      else if (kind === 4) damaged[at] = random.int(256);
      else damaged.fill(255, at, Math.min(damaged.length, at + 1 + random.int(9)));
    }
  }
  return damaged;
}

/** Arrays and their contents, as deep as answers go. */
function countItems(value: unknown): number {
  if (!Array.isArray(value)) {
    return typeof value === 'object' && value !== null
      ? Object.values(value).reduce((sum: number, each) => sum + countItems(each), 1)
      : 0;
  }
  return value.reduce((sum: number, each) => sum + countItems(each), value.length);
}

describe('answers that are damaged', () => {
  const count = Number(process.env.FRAMES ?? 100_000);
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

  it(`${count} of them, seed ${seed}: are read or are a WireError, and never hold more than they could`, () => {
    const random = new Random(seed);
    let refused = 0;
    let slowestMs = 0;
    for (let i = 0; i < count; i += 1) {
      const name = random.pick(NAMES);
      const frame = damage(FRAMES.get(name) ?? Buffer.alloc(0), random);
      const startedMs = performance.now();
      try {
        const { answer } = decode(frame, READERS[name]);
        // Two bytes are the least that something in a list takes; a cell has five parts.
        assert.ok(countItems(answer) <= 16 + 5 * frame.length, `${name} grew: ${bytesOf(frame)}`);
      } catch (error) {
        if (!(error instanceof WireError)) {
          throw new Error(`${name}, frame ${i}, seed ${seed}: ${frame.toString('hex')}`, { cause: error });
        }
        refused += 1;
      }
      slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    }
    assert.ok(slowestMs < 1_000, `a frame took ${slowestMs} ms`);
    assert.ok(refused > count / 10 && refused < count, `${refused} of ${count} were refused`);
  });
});
