/**
 * Just enough of HBase's RPC to ask a server one question that has no fields, and to see whether it answers:
 *
 *   preamble    "HBas" 0x00 0x50 (simple authentication)
 *   connection  int32 length, ConnectionHeader { user_info = 1 { effective_user = 1 }, service_name = 2 }
 *   call        int32 length, varint length, RequestHeader { call_id = 1, method_name = 3, request_param = 4 },
 *               varint 0, the length of the empty message
 *   answer      int32 length, varint length, ResponseHeader { call_id = 1, exception = 2 { exception_class_name = 1 } }
 *
 * Every message here is shorter than 128 bytes, so that a varint length is one byte. Source: RPC.proto of HBase 2.6.
 */
import { exchange, hasInt32Length } from '../exchange.js';

const USER = 'quanren';
/** Protobuf: field number << 3 | wire type (0 varint, 2 length-delimited). */
const tag = (field: number, wireType: 0 | 2) => (field << 3) | wireType;

function lengthDelimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag(field, 2), content.length), content]);
}

function withInt32Length(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(content.length);
  return Buffer.concat([length, content]);
}

function encodeQuestion(service: string, method: string): Buffer {
  const connection = Buffer.concat([
    lengthDelimited(1, lengthDelimited(1, Buffer.from(USER))),
    lengthDelimited(2, Buffer.from(service)),
  ]);
  const header = Buffer.concat([
    Buffer.of(tag(1, 0), 1),
    lengthDelimited(3, Buffer.from(method)),
    Buffer.of(tag(4, 0), 1),
  ]);
  return Buffer.concat([
    Buffer.from('HBas\0\x50', 'latin1'),
    withInt32Length(connection),
    withInt32Length(Buffer.concat([Buffer.of(header.length), header, Buffer.of(0)])),
  ]);
}

async function ask(port: number, service: string, method: string, signal: AbortSignal): Promise<void> {
  const answer = await exchange(port, encodeQuestion(service, method), hasInt32Length, signal);
  // An answer without an exception is `4, length, tag(1) 1, …`; with one, the exception's class follows call_id.
  const hasCallId = answer[5] === tag(1, 0) && answer[6] === 1;
  if (hasCallId && answer[7] !== tag(2, 2)) return;
  const exception = /[\w.$]+Exception/.exec(answer.toString('latin1'))?.[0];
  throw new Error(`${service}.${method} was refused: ${exception ?? 'not an answer of HBase'}`);
}

/** Refused with PleaseHoldException until the master has completed its initialization; it then asks no other server. */
export function askMaster(port: number, signal: AbortSignal): Promise<void> {
  return ask(port, 'MasterService', 'GetTableDescriptors', signal);
}

/** Ends master and region servers, one after the other. */
export function askMasterToStop(port: number, signal: AbortSignal): Promise<void> {
  return ask(port, 'MasterService', 'Shutdown', signal);
}

/** Refused with ServerNotRunningYetException until the master has taken the region server in. */
export function askRegionServer(port: number, signal: AbortSignal): Promise<void> {
  return ask(port, 'AdminService', 'GetServerInfo', signal);
}
