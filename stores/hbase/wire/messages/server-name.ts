/**
 * HBase.proto of HBase 2.6.4:
 *
 *   message ServerName {
 *     required string host_name = 1;
 *     optional uint32 port = 2;
 *     optional uint64 start_code = 3;
 *   }
 */
import { utf8Bytes } from '../byte-string.js';
import type { ProtoReader } from '../proto-reader.js';
import type { ProtoWriter } from '../proto-writer.js';

export interface ServerName {
  readonly host: string;
  readonly port: number;
  /** Epoch milliseconds of the server's start: another start is another server. */
  readonly startCode: number;
}

export function writeServerName(writer: ProtoWriter, server: ServerName): void {
  writer.bytes(1, utf8Bytes(server.host));
  writer.uint(2, server.port);
  writer.uint(3, server.startCode);
}

export function readServerName(reader: ProtoReader): ServerName {
  let host = '';
  let port = 0;
  let startCode = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) host = reader.text();
    else if (field === 2) port = reader.uint();
    else if (field === 3) startCode = reader.uint();
    else reader.skip();
  }
  return { host, port, startCode };
}
