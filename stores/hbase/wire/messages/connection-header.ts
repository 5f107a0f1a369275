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
 *     optional VersionInfo version_info = 5;
 *   }
 *   message VersionInfo {
 *     required string version = 1;
 *     required string url = 2;
 *     required string revision = 3;
 *     required string user = 4;
 *     required string date = 5;
 *     required string src_checksum = 6;
 *     optional uint32 version_major = 7;
 *     optional uint32 version_minor = 8;
 *   }
 *
 * The version tells the server what its client can do: from 1.2 on, that it asks again for the rows that did not fit
 * into one response (MultiActionResultTooLarge). The strings are for the server's log.
 */
import { utf8Bytes } from '../byte-string.js';
import { KEY_VALUE_CODEC } from '../cell-block.js';
import type { ProtoWriter } from '../proto-writer.js';

/** The oldest HBase whose client this is like. */
const [MAJOR, MINOR] = [2, 4];

export function writeConnectionHeader(writer: ProtoWriter, userName: string, serviceName: string): void {
  writer.message(1, (user) => user.bytes(1, utf8Bytes(userName)));
  writer.bytes(2, utf8Bytes(serviceName));
  writer.bytes(3, utf8Bytes(KEY_VALUE_CODEC));
  writer.message(5, (version) => {
    version.bytes(1, utf8Bytes(`${MAJOR}.${MINOR}`));
    for (const field of [2, 3, 4, 5, 6]) version.bytes(field, utf8Bytes('quanren'));
    version.uint(7, MAJOR);
    version.uint(8, MINOR);
  });
}
