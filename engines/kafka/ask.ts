/**
 * Kafka's DescribeCluster (API 60, version 0), as the schemas of Kafka 4.1 have it. Integers are big-endian; a compact
 * string or array begins with its length plus one as a varint, 0 for null; tagged fields are none (0).
 *
 *   question  int32 length, int16 API, int16 version, int32 correlation id, int16-long client id, tagged fields,
 *             boolean include_cluster_authorized_operations, tagged fields
 *   answer    int32 length, int32 correlation id, tagged fields, int32 throttle_time_ms, int16 error_code,
 *             compact error_message, compact cluster_id, int32 controller_id, compact array of brokers, …
 */
import { exchange, hasInt32Length } from '../exchange.js';

const API = 60;
const CLIENT = 'quanren';

function encodeQuestion(): Buffer {
  const question = Buffer.alloc(4 + 2 + 2 + 4 + 2 + CLIENT.length + 1 + 1 + 1);
  let at = question.writeInt32BE(question.length - 4);
  at = question.writeInt16BE(API, at);
  at = question.writeInt16BE(0, at);
  at = question.writeInt32BE(1, at);
  at = question.writeInt16BE(CLIENT.length, at);
  question.write(CLIENT, at, 'latin1');
  return question;
}

/** Resolves when the broker has joined its cluster and may be written to; until then it lists no broker. */
export async function askBroker(port: number, signal: AbortSignal): Promise<void> {
  const answer = await exchange(port, encodeQuestion(), hasInt32Length, signal);
  const errorCode = answer.readInt16BE(13);
  if (errorCode !== 0) throw new Error(`DescribeCluster was answered with error ${errorCode}`);
  const clusterIdLength = answer.readUInt8(16);
  const brokers = answer.readUInt8(16 + clusterIdLength + 4) - 1;
  if (brokers < 1) throw new Error('the broker has not joined its cluster yet');
}
