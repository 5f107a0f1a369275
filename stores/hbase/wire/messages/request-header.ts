/**
 * What goes before each request. RPC.proto of HBase 2.6.4:
 *
 *   message RequestHeader {
 *     optional uint32 call_id = 1;
 *     optional string method_name = 3;
 *     optional bool request_param = 4;
 *     optional uint32 priority = 6;
 *     optional uint32 timeout = 7;
 *   }
 *
 * `timeout` is in milliseconds: the server drops a call that has waited longer in its queue.
 */
import type { ByteString } from '../byte-string.js';
import type { ProtoWriter } from '../proto-writer.js';

export interface RequestHeader {
  readonly callId: number;
  readonly methodName: ByteString;
  readonly timeoutMs: number;
}

export function writeRequestHeader(writer: ProtoWriter, header: RequestHeader): void {
  writer.uint(1, header.callId);
  writer.bytes(3, header.methodName);
  writer.bool(4, true);
  writer.uint(7, header.timeoutMs);
}
