/**
 * Records what a real HBase answers, byte for byte, for the tests of the codecs:
 *
 *   node dist/test/support/record-hbase-exchanges.js > stores/hbase/wire/exchanges.json
 *
 * starts a standalone HBase of engines/, fills a table of two regions, and writes each request and its answer, whole
 * frames without their length, in hexadecimal digits.
 */
import net from 'node:net';
import type { Address } from '../../config/addresses.js';
import { HBaseAdmin } from '../../stores/hbase/admin/hbase-admin.js';
import { FrameSplitter } from '../../stores/hbase/connection/frame-splitter.js';
import type { Service } from '../../stores/hbase/connection/services.js';
import { META_REGION_NAME } from '../../stores/hbase/locate/meta-table.js';
import { tableSchema } from '../../stores/hbase/tables.js';
import { EMPTY, utf8Bytes } from '../../stores/hbase/wire/byte-string.js';
import { readCells } from '../../stores/hbase/wire/cell-block.js';
import { writeConnectionHeader } from '../../stores/hbase/wire/messages/connection-header.js';
import { writeMultiRequest } from '../../stores/hbase/wire/messages/multi-request.js';
import { writeGetProcedureResult } from '../../stores/hbase/wire/messages/procedure-result.js';
import { writeRequestHeader } from '../../stores/hbase/wire/messages/request-header.js';
import { writeOpenScanner } from '../../stores/hbase/wire/messages/scan-request.js';
import { writeTable } from '../../stores/hbase/wire/messages/table-procedures.js';
import { ProtoWriter } from '../../stores/hbase/wire/proto-writer.js';
import { startTestHBase } from './hbase.js';

const T = 1_700_000_000_000;
const TABLE = utf8Bytes('recorded');
const CF = utf8Bytes('cf');

function frame(write: (writer: ProtoWriter) => void): Buffer {
  const writer = new ProtoWriter();
  writer.int32(0);
  write(writer);
  writer.int32At(0, writer.length - 4);
  return writer.finish();
}

async function exchange(
  { host, port }: Address,
  service: Service,
  method: string,
  write: (writer: ProtoWriter) => void,
): Promise<{ request: string; response: string }> {
  const socket = net.connect(port, host);
  const request = frame((writer) => {
    writer.delimited((header) =>
      writeRequestHeader(header, { callId: 1, methodName: utf8Bytes(method), timeoutMs: 10_000 }),
    );
    writer.delimited(write);
  });
  socket.write(
    Buffer.concat([
      Buffer.from('HBas\0P'),
      frame((writer) => writeConnectionHeader(writer, 'recorder', service)),
    ]),
  );
  socket.write(request);
  const splitter = new FrameSplitter(2 ** 20);
  for await (const chunk of socket) {
    const [response] = splitter.push(chunk as Buffer);
    if (response === undefined) continue;
    socket.destroy();
    return { request: request.subarray(4).toString('hex'), response: response.toString('hex') };
  }
  throw new Error(`${method} was not answered.`);
}

const hbase = await startTestHBase();
const client = hbase.connect();
try {
  const admin = new HBaseAdmin(client);
  await admin.createTable(tableSchema(TABLE, CF), [utf8Bytes('5_')]);
  const cell = (qualifier: string, timestampMs = T) => ({
    family: CF,
    qualifier: utf8Bytes(qualifier),
    timestampMs,
    value: utf8Bytes(String(timestampMs)),
  });
  const row = (key: string) => utf8Bytes(key);
  await client.mutate(TABLE, [
    { kind: 'put', row: row('1_u1'), cells: [cell('a'), cell('b', T + 1)] },
    { kind: 'put', row: row('2_用户'), cells: [cell('a')] },
    { kind: 'put', row: row('7_u3'), cells: [{ ...cell('long'), value: utf8Bytes('x'.repeat(300)) }] },
  ]);
  const [first, second] = await admin.regions(TABLE);
  const master = await client.registry.findMaster();
  const meta = await client.registry.findMeta();
  if (first === undefined || second === undefined || master === undefined || meta === undefined) {
    throw new Error('The table is not as it was made.');
  }
  const get = (key: string) => ({ kind: 'get' as const, row: row(key), projection: {}, read: readCells });
  const put = (key: string, family = CF) => {
    const mutation = { kind: 'put' as const, row: row(key), cells: [{ ...cell('a'), family }] };
    return { kind: 'mutate' as const, row: row(key), mutation, condition: undefined };
  };
  const gone = utf8Bytes(`recorded,5_,1.${'0'.repeat(32)}.`);
  const range = { startRow: EMPTY, includesStartRow: true, stopRow: EMPTY };
  const exchanges = {
    metaLocations: await exchange(master, 'ClientMetaService', 'GetMetaRegionLocations', () => undefined),
    activeMaster: await exchange(master, 'ClientMetaService', 'GetActiveMaster', () => undefined),
    metaScan: await exchange(meta, 'ClientService', 'Scan', (writer) =>
      writeOpenScanner(
        writer,
        META_REGION_NAME,
        { ...range, startRow: utf8Bytes('recorded,,'), stopRow: utf8Bytes('recorded ,,') },
        { rows: 100, bytes: 65_536 },
      ),
    ),
    multiGet: await exchange(first.server, 'ClientService', 'Multi', (writer) =>
      writeMultiRequest(writer, [
        { regionName: first.name, actions: [get('1_u1'), get('3_nobody'), get('2_用户')] },
        { regionName: second.name, actions: [get('7_u3')] },
      ]),
    ),
    multiPut: await exchange(first.server, 'ClientService', 'Multi', (writer) =>
      writeMultiRequest(writer, [
        { regionName: first.name, actions: [put('4_u4'), get('1_u1'), put('4_u4', utf8Bytes('none'))] },
      ]),
    ),
    multiConditional: await exchange(first.server, 'ClientService', 'Multi', (writer) => {
      const condition = {
        family: CF,
        qualifier: utf8Bytes('a'),
        timeRange: { fromMs: T, toMs: T + 1 },
        holds: 'absent' as const,
      };
      writeMultiRequest(writer, [
        { regionName: first.name, actions: [{ ...put('1_u1'), condition }] },
        { regionName: first.name, actions: [{ ...put('4_new'), condition }] },
      ]);
    }),
    multiNotServing: await exchange(first.server, 'ClientService', 'Multi', (writer) =>
      writeMultiRequest(writer, [
        { regionName: gone, actions: [get('7_u3')] },
        { regionName: first.name, actions: [get('1_u1')] },
      ]),
    ),
    scan: await exchange(first.server, 'ClientService', 'Scan', (writer) =>
      writeOpenScanner(writer, first.name, range, { rows: 2, bytes: 65_536 }),
    ),
    scanPartial: await exchange(first.server, 'ClientService', 'Scan', (writer) =>
      writeOpenScanner(writer, first.name, range, { rows: 10, bytes: 1 }),
    ),
    scanNotServing: await exchange(first.server, 'ClientService', 'Scan', (writer) =>
      writeOpenScanner(writer, gone, range, { rows: 2, bytes: 65_536 }),
    ),
    unknownMethod: await exchange(first.server, 'ClientService', 'NoSuchMethod', () => undefined),
    tableState: await exchange(master, 'MasterService', 'GetTableState', (writer) =>
      writeTable(writer, TABLE),
    ),
    tableMissing: await exchange(master, 'MasterService', 'GetTableState', (writer) =>
      writeTable(writer, utf8Bytes('missing')),
    ),
    procedureResult: await exchange(master, 'MasterService', 'getProcedureResult', (writer) =>
      writeGetProcedureResult(writer, 1),
    ),
  };
  console.log(JSON.stringify(exchanges, null, 2));
} finally {
  client.close();
  await hbase.remove();
}
