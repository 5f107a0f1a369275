/**
 * As much of HBase as one table of one region takes, on sockets of loopback: the registry and `hbase:meta` are on its first
 * server, the region on the one that `holder` names. Every row is there, with its own key as its value, unless a Multi is
 * refused.
 */
import type net from 'node:net';
import type { Address } from '../../config/addresses.js';
import { HBaseClient, type HBaseClientOptions } from '../../stores/hbase/client/hbase-client.js';
import {
  type ByteString,
  bytesOf,
  EMPTY,
  joinBytes,
  utf8Bytes,
} from '../../stores/hbase/wire/byte-string.js';
import { type RegionInfo, writeRegionInfo } from '../../stores/hbase/wire/messages/region-info.js';
import { writeServerName } from '../../stores/hbase/wire/messages/server-name.js';
import { META_TABLE } from '../../stores/hbase/wire/messages/table-name.js';
import type { ProtoReader } from '../../stores/hbase/wire/proto-reader.js';
import { ProtoWriter } from '../../stores/hbase/wire/proto-writer.js';
import { type FakeRpcServer, reply, startFakeRpcServer } from './fake-rpc-server.js';

export const FAKE_TABLE = utf8Bytes('fake');
const REGION_NAME = utf8Bytes(`fake,,1.${'0'.repeat(32)}.`);
const CF = utf8Bytes('cf');
const PUT = 4;

/** A Multi that came, with the rows that it asked for, in their order. */
export interface FakeMulti {
  readonly server: number;
  readonly rows: readonly ByteString[];
  readonly atMs: number;
}

/** With which exception a Multi, its region, or its rows from `fromRow` on are not done. */
export type Refusal =
  | { readonly of: 'call' | 'region'; readonly exception: string }
  | { readonly of: 'rows'; readonly fromRow: number; readonly exception: string };

export class FakeHBase {
  /** Which of the servers has the region. */
  holder = 0;
  metaReads = 0;
  readonly multis: FakeMulti[] = [];
  /** Decides about a Multi, as late as it likes. */
  decide: (multi: FakeMulti) => Promise<Refusal | undefined> | Refusal | undefined = () => undefined;
  #servers: readonly FakeRpcServer[] = [];
  readonly #clients: HBaseClient[] = [];

  static async start(servers = 1): Promise<FakeHBase> {
    const fake = new FakeHBase();
    fake.#servers = await Promise.all(
      Array.from({ length: servers }, (_, number) =>
        startFakeRpcServer((callId, method, socket, request) => {
          if (method === 'GetMetaRegionLocations') fake.#sayWhereMetaIs(callId, socket);
          else if (method === 'Scan') fake.#sayWhereTheRegionIs(callId, socket);
          else if (method === 'Multi') void fake.#answerMulti(number, callId, socket, request);
          else reply(socket, callId);
        }),
      ),
    );
    return fake;
  }

  connect(options: Omit<HBaseClientOptions, 'nodes'> = {}): HBaseClient {
    const client = new HBaseClient({ ...options, nodes: [this.#address(0)] });
    this.#clients.push(client);
    return client;
  }

  stop(): void {
    for (const client of this.#clients) client.close();
    for (const server of this.#servers) server.stop();
  }

  #address(server: number): Address {
    return this.#servers[server]?.address ?? { host: '', port: 0 };
  }

  #sayWhereMetaIs(callId: number, socket: net.Socket): void {
    reply(socket, callId, {
      write: (writer) =>
        writer.message(1, (location) => {
          location.message(1, (region) => writeRegionInfo(region, regionInfo(META_TABLE)));
          location.message(2, (server) => writeServerName(server, { ...this.#address(0), startCode: 1 }));
        }),
    });
  }

  #sayWhereTheRegionIs(callId: number, socket: net.Socket): void {
    this.metaReads += 1;
    const { host, port } = this.#address(this.holder);
    const info = new ProtoWriter();
    writeRegionInfo(info, regionInfo(FAKE_TABLE));
    const family = utf8Bytes('info');
    const cells = Buffer.concat([
      cell(REGION_NAME, family, 'regioninfo', joinBytes(utf8Bytes('PBUF'), bytesOf(info.finish()))),
      cell(REGION_NAME, family, 'server', utf8Bytes(`${host}:${port}`)),
    ]);
    reply(socket, callId, {
      cells,
      write: (writer) => {
        writer.uint(1, 2);
        writer.bool(3, false);
        writer.bool(8, false);
      },
    });
  }

  async #answerMulti(server: number, callId: number, socket: net.Socket, request: ProtoReader) {
    const rows = request.delimited(readRows);
    // A ping (services.ts).
    if (rows.length === 0) {
      reply(socket, callId);
      return;
    }
    const multi = { server, rows, atMs: performance.now() };
    this.multis.push(multi);
    const refusal = await this.decide(multi);
    if (refusal?.of === 'call') {
      reply(socket, callId, { exception: refusal.exception });
      return;
    }
    const isDone = (index: number) =>
      refusal === undefined || (refusal.of === 'rows' && index < refusal.fromRow);
    const fail = (writer: ProtoWriter, field: number) => {
      const name = refusal?.exception ?? '';
      writer.message(field, (exception) => exception.bytes(1, utf8Bytes(name)));
    };
    reply(socket, callId, {
      cells: Buffer.concat(rows.filter((_, index) => isDone(index)).map((row) => cell(row, CF, 'a', row))),
      write: (writer) =>
        writer.message(1, (region) => {
          if (refusal?.of === 'region') {
            fail(region, 2);
            return;
          }
          for (const index of rows.keys()) {
            region.message(1, (result) => {
              result.uint(1, index);
              if (isDone(index)) result.message(2, (found) => found.uint(2, 1));
              else fail(result, 3);
            });
          }
        }),
    });
  }
}

function regionInfo(table: ByteString): RegionInfo {
  const whole = { startKey: EMPTY, endKey: EMPTY, isOffline: false, isSplit: false, replicaId: 0 };
  return { ...whole, table, regionId: 1 };
}

/** The rows that the gets of a MultiRequest name: regionAction 1, action 3, get 3, row 1 (multi-request.ts). */
function readRows(multi: ProtoReader): ByteString[] {
  const rows: ByteString[] = [];
  inside(multi, 1, (region) =>
    inside(region, 3, (action) =>
      inside(action, 3, (get) => {
        for (let field = get.next(); field !== 0; field = get.next()) {
          if (field === 1) rows.push(get.bytes());
          else get.skip();
        }
      }),
    ),
  );
  return rows;
}

/** Reads each message that is the value of `wanted`, and no other field. */
function inside(reader: ProtoReader, wanted: number, read: (message: ProtoReader) => void): void {
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === wanted) reader.message(read);
    else reader.skip();
  }
}

/** As cell-block.ts has it. */
function cell(row: ByteString, family: ByteString, qualifier: string, value: ByteString): Buffer {
  const key = row.length + family.length + qualifier.length + 12;
  const buffer = Buffer.alloc(12 + key + value.length);
  let at = buffer.writeUInt32BE(8 + key + value.length, 0);
  at = buffer.writeUInt32BE(key, at);
  at = buffer.writeUInt32BE(value.length, at);
  at = buffer.writeUInt16BE(row.length, at);
  at += buffer.write(row, at, 'latin1');
  at = buffer.writeUInt8(family.length, at);
  at += buffer.write(family + qualifier, at, 'latin1');
  at = buffer.writeBigInt64BE(1n, at);
  at = buffer.writeUInt8(PUT, at);
  buffer.write(value, at, 'latin1');
  return buffer;
}
