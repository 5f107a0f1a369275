/**
 * The first message of a connection, after the preamble. RPC.proto of HBase 2.6.4:
 *
 *   message UserInformation {
 *     required string effective_user = 1;
 *   }
 *   message ConnectionHeader {
 *     optional UserInformation user_info = 1;
 *     optional string service_name = 2;
 *     optional string cell_block_codec_class = 3;
 *   }
 */
import { utf8Bytes } from '../byte-string.js';
import { KEY_VALUE_CODEC } from '../cell-block.js';
import type { ProtoWriter } from '../proto-writer.js';

export function writeConnectionHeader(writer: ProtoWriter, userName: string, serviceName: string): void {
  writer.message(1, (user) => user.bytes(1, utf8Bytes(userName)));
  writer.bytes(2, utf8Bytes(serviceName));
  writer.bytes(3, utf8Bytes(KEY_VALUE_CODEC));
}
