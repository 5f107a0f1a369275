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
import { tableSchema } from '../../stores/hbase/tables.js';
import { utf8Bytes } from '../../stores/hbase/wire/byte-string.js';
import { CellBlockReader } from '../../stores/hbase/wire/cell-block.js';
import { writeConnectionHeader } from '../../stores/hbase/wire/messages/connection-header.js';
import { readResponseHeader } from '../../stores/hbase/wire/messages/response-header.js';
import { readScanResponse } from '../../stores/hbase/wire/messages/scan-response.js';
import { ProtoReader } from '../../stores/hbase/wire/proto-reader.js';
import { ProtoWriter } from '../../stores/hbase/wire/proto-writer.js';
import { startTestHBase } from './hbase.js';
import {
  CF,
  cell,
  type RecordedRequest,
  requestsToRecord,
  T,
  TABLE,
  writeRequest,
} from './hbase-requests.js';

interface Exchange {
  readonly request: string;
  readonly response: string;
}

function frame(write: (writer: ProtoWriter) => void): Buffer {
  const writer = new ProtoWriter();
  writer.int32(0);
  write(writer);
  writer.int32At(0, writer.length - 4);
  return writer.finish();
}

async function exchange({ host, port }: Address, request: RecordedRequest): Promise<Exchange> {
  const socket = net.connect(port, host);
  const bytes = frame((writer) => writeRequest(writer, request));
  socket.write(
    Buffer.concat([
      Buffer.from('HBas\0P'),
      frame((writer) => writeConnectionHeader(writer, 'recorder', request.service)),
    ]),
  );
  socket.write(bytes);
  const splitter = new FrameSplitter(2 ** 20);
  for await (const chunk of socket) {
    const [response] = splitter.push(chunk as Buffer);
    if (response === undefined) continue;
    socket.destroy();
    return { request: bytes.subarray(4).toString('hex'), response: response.toString('hex') };
  }
  throw new Error(`${request.method} was not answered.`);
}

/** Of the answer to a scan. */
function scannerIdOf({ response }: Exchange): bigint {
  const bytes = Buffer.from(response, 'hex');
  const reader = new ProtoReader(bytes);
  const { cellBlockBytes } = reader.delimited(readResponseHeader);
  const cells = new CellBlockReader(bytes, bytes.length - cellBlockBytes, bytes.length);
  return reader.delimited((message) => readScanResponse(message, cells)).scannerId ?? 0n;
}

const hbase = await startTestHBase();
const client = hbase.connect();
try {
  const admin = new HBaseAdmin(client);
  await admin.createTable(tableSchema(TABLE, CF), [utf8Bytes('5_')]);
  await client.mutate(TABLE, [
    { kind: 'put', row: utf8Bytes('1_u1'), cells: [cell('a'), cell('b', T + 1)] },
    { kind: 'put', row: utf8Bytes('2_用户'), cells: [cell('a')] },
    { kind: 'put', row: utf8Bytes('7_u3'), cells: [{ ...cell('long'), value: utf8Bytes('x'.repeat(300)) }] },
  ]);
  await admin.flush(TABLE);
  const [first, second] = await admin.regions(TABLE);
  const master = await client.registry.findMaster();
  const meta = await client.registry.findMeta();
  if (first === undefined || second === undefined || master === undefined || meta === undefined) {
    throw new Error('The table is not as it was made.');
  }
  const servers = { master, meta, server: first.server };
  const exchanges: Record<string, Exchange> = {};
  const scannerId = () => scannerIdOf(exchanges.scanPartial ?? { request: '', response: '' });
  const requests = requestsToRecord({ first: first.name, second: second.name, scannerId });
  for (const [name, request] of Object.entries<RecordedRequest>(requests)) {
    exchanges[name] = await exchange(servers[request.to], request);
  }
  console.log(JSON.stringify(exchanges, null, 2));
} finally {
  client.close();
  await hbase.remove();
}
