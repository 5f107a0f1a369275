/**
 * One request of each kind that the client makes, as record-hbase-exchanges.ts sends them to a real HBase, and as the
 * tests of the codecs hold them against what it took.
 */
import type { Service } from '../../stores/hbase/connection/services.js';
import { META_REGION_NAME } from '../../stores/hbase/locate/meta-table.js';
import { tableSchema } from '../../stores/hbase/tables.js';
import { type ByteString, EMPTY, utf8Bytes } from '../../stores/hbase/wire/byte-string.js';
import { readCells } from '../../stores/hbase/wire/cell-block.js';
import type { Condition } from '../../stores/hbase/wire/messages/condition.js';
import type { Projection } from '../../stores/hbase/wire/messages/get.js';
import { writeMultiRequest } from '../../stores/hbase/wire/messages/multi-request.js';
import type { Mutation } from '../../stores/hbase/wire/messages/mutation.js';
import { writeGetProcedureResult } from '../../stores/hbase/wire/messages/procedure-result.js';
import { writeGetStoreFiles } from '../../stores/hbase/wire/messages/region-maintenance.js';
import { writeRequestHeader } from '../../stores/hbase/wire/messages/request-header.js';
import {
  type ScanRange,
  type ScanSize,
  writeCloseScanner,
  writeNextRows,
  writeOpenScanner,
} from '../../stores/hbase/wire/messages/scan-request.js';
import { writeCreateTable, writeTable } from '../../stores/hbase/wire/messages/table-procedures.js';
import type { ProtoWriter } from '../../stores/hbase/wire/proto-writer.js';

/** The time of the first cells. */
export const T = 1_700_000_000_000;
export const TABLE = utf8Bytes('recorded');
export const CF = utf8Bytes('cf');

export interface RecordedRequest {
  readonly to: 'master' | 'meta' | 'server';
  readonly service: Service;
  readonly method: string;
  readonly write: (writer: ProtoWriter) => void;
}

interface Recorded {
  /** The names of the two regions of the table. */
  readonly first: ByteString;
  readonly second: ByteString;
  /** Of the scanner that `scanPartial` has opened. */
  readonly scannerId: () => bigint;
}

export const cell = (qualifier: string, timestampMs = T) => ({
  family: CF,
  qualifier: utf8Bytes(qualifier),
  timestampMs,
  value: utf8Bytes(String(timestampMs)),
});

const get = (key: string, projection: Projection = {}) => ({
  kind: 'get' as const,
  row: utf8Bytes(key),
  projection,
  read: readCells,
});
const mutate = (mutation: Mutation, condition?: Condition) => ({
  kind: 'mutate' as const,
  row: mutation.row,
  mutation,
  condition,
});
const put = (key: string, family = CF) => ({
  kind: 'put' as const,
  row: utf8Bytes(key),
  cells: [{ ...cell('a'), family }],
});
const condition = (holds: Condition['holds']): Condition => ({
  family: CF,
  qualifier: utf8Bytes('a'),
  timeRange: { fromMs: T, toMs: T + 1 },
  holds,
});
const client = (method: string, write: RecordedRequest['write']): RecordedRequest => ({
  ...{ to: 'server', service: 'ClientService', method, write },
});
const nothing = () => undefined;

/** A whole frame without its length. */
export function writeRequest(writer: ProtoWriter, { method, write }: RecordedRequest): void {
  writer.delimited((header) =>
    writeRequestHeader(header, { callId: 1, methodName: utf8Bytes(method), timeoutMs: 10_000 }),
  );
  writer.delimited(write);
}

/** By what they show, in the order in which they are sent. */
export function requestsToRecord({ first, second, scannerId }: Recorded) {
  const gone = utf8Bytes(`recorded,5_,1.${'0'.repeat(32)}.`);
  const range = { startRow: EMPTY, includesStartRow: true, stopRow: EMPTY };
  const multi = (...regions: Parameters<typeof writeMultiRequest>[1]) =>
    client('Multi', (writer) => writeMultiRequest(writer, regions));
  const scan = (regionName: ByteString, part: ScanRange, size: ScanSize) =>
    client('Scan', (writer) => writeOpenScanner(writer, regionName, part, size));
  const master = (method: string, write: RecordedRequest['write']): RecordedRequest => ({
    ...{ to: 'master', service: 'MasterService', method, write },
  });
  return {
    metaLocations: {
      ...{ to: 'master', service: 'ClientMetaService', method: 'GetMetaRegionLocations', write: nothing },
    },
    activeMaster: { to: 'master', service: 'ClientMetaService', method: 'GetActiveMaster', write: nothing },
    metaScan: {
      ...scan(
        META_REGION_NAME,
        { ...range, startRow: utf8Bytes('recorded,,'), stopRow: utf8Bytes('recorded ,,') },
        { rows: 100, bytes: 65_536 },
      ),
      to: 'meta',
    },
    multiGet: multi(
      { regionName: first, actions: [get('1_u1'), get('3_nobody'), get('2_用户')] },
      { regionName: second, actions: [get('7_u3')] },
    ),
    multiGetSome: multi({
      regionName: first,
      actions: [
        get('1_u1', { columns: [{ family: CF, qualifiers: [utf8Bytes('b'), utf8Bytes('c')] }] }),
        get('1_u1', { timeRange: { fromMs: T, toMs: T + 1 } }),
      ],
    }),
    multiPut: multi({
      regionName: first,
      actions: [mutate(put('4_u4')), get('1_u1'), mutate(put('4_u4', utf8Bytes('none')))],
    }),
    multiDelete: multi({
      regionName: first,
      actions: [
        mutate({ kind: 'delete', row: utf8Bytes('4_u4'), cells: [cell('a'), cell('b', T + 1)] }),
        get('4_u4'),
      ],
    }),
    multiConditional: multi(
      { regionName: first, actions: [mutate(put('1_u1'), condition('absent'))] },
      { regionName: first, actions: [mutate(put('4_new'), condition('absent'))] },
      {
        regionName: first,
        actions: [mutate(put('1_u1'), condition({ valueLessThan: utf8Bytes(String(T)) }))],
      },
      {
        regionName: first,
        actions: [mutate(put('1_u1'), condition({ valueLessThan: utf8Bytes(String(T + 1)) }))],
      },
    ),
    multiNotServing: multi(
      { regionName: gone, actions: [get('7_u3')] },
      { regionName: first, actions: [get('1_u1')] },
    ),
    scan: scan(first, range, { rows: 2, bytes: 65_536 }),
    scanPartial: scan(first, range, { rows: 10, bytes: 1 }),
    scanNext: client('Scan', (writer) => writeNextRows(writer, scannerId(), 0, 10)),
    scanClose: client('Scan', (writer) => writeCloseScanner(writer, scannerId())),
    scanNotServing: scan(gone, range, { rows: 2, bytes: 65_536 }),
    unknownMethod: client('NoSuchMethod', nothing),
    storeFiles: {
      ...{ to: 'server', service: 'AdminService', method: 'GetStoreFile' },
      write: (writer: ProtoWriter) => writeGetStoreFiles(writer, second),
    },
    tableState: master('GetTableState', (writer) => writeTable(writer, TABLE)),
    tableMissing: master('GetTableState', (writer) => writeTable(writer, utf8Bytes('missing'))),
    createTable: master('CreateTable', (writer) =>
      writeCreateTable(writer, tableSchema(utf8Bytes('created'), CF), [utf8Bytes('3_'), utf8Bytes('7_')], 7n),
    ),
    procedureResult: master('getProcedureResult', (writer) => writeGetProcedureResult(writer, 1)),
  } satisfies Readonly<Record<string, RecordedRequest>>;
}
