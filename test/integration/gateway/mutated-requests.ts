/** HTTP requests as no client should write them: right ones, changed in one to three ways. The same number, the same bytes. */
import { Random } from '../../differential/random.js';

const BATCH = '{"uids":["u1","u2"],"crowdCodes":["vip"]}';
const CHUNKED = `5\r\n${BATCH.slice(0, 5)}\r\n${(BATCH.length - 5).toString(16)}\r\n${BATCH.slice(5)}\r\n0\r\n\r\n`;

const head = (line: string, headers: string) => `${line} HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`;
const RIGHT: readonly string[] = [
  head('GET /match?uid=u1', ''),
  head('GET /match?uid=%E5%9C%88&crowdCode=vip', 'Accept: application/json\r\n'),
  head('GET /api/crowd/match?uid=u1', `Authorization: Bearer ${'a'.repeat(200)}\r\n`),
  head('GET /tags?uid=u1', 'Connection: close\r\n'),
  head('HEAD /match?uid=u1', ''),
  head('OPTIONS /match', ''),
  head('GET /openapi.json', 'Accept-Encoding: gzip, br\r\n'),
  head('DELETE /match', 'Content-Length: 0\r\n'),
  head('POST /match/batch', `Content-Type: application/json\r\nContent-Length: ${BATCH.length}\r\n`) + BATCH,
  head('POST /match/batch', 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n') + CHUNKED,
  head('POST /match/batch', `Content-Type: text/plain\r\nContent-Length: ${BATCH.length}\r\n`) + BATCH,
];

/** What parsers are known to stumble over. */
const TRAPS: readonly string[] = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\t',
  ' ',
  ':',
  '\x7f',
  '\xff\xfe',
  '%00',
  '%zz',
  '%',
  '?',
  '#',
  '//',
  '/../',
  'Content-Length: 5\r\n',
  'Content-Length: -1\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 0x5\r\n',
  'Content-Length: 5, 6\r\n',
  'Content-Length: 18446744073709551617\r\n',
  'Content-Length: 99999999999999999999999\r\n',
  'Content-Length : 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding: \x0bchunked\r\n',
  'FFFFFFFFFFFFFFFFF\r\n',
  '-1\r\n',
  '5;ext=\r\n',
  '0\r\n\r\n',
  'Host: a\r\nHost: b\r\n',
  'Expect: 100-continue\r\n',
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n',
  'Connection: keep-alive, close\r\n',
  ' folded\r\n',
  ': no name\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET http://localhost/match?uid=u1 HTTP/1.1\r\n',
  'GET / HTTP/0.9\r\n',
  'GET /match?uid=u1 HTTP/1.0\r\n\r\n',
  'get /match HTTP/1.1\r\n\r\n',
  'GET /match HTTP/9.9\r\n\r\n',
  '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
];

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const splice = (bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
/** 0 where it is not in it. */
const indexIn = (bytes: Buffer, text: string) => Math.max(0, bytes.indexOf(text));
const noise = (random: Random, length: number) =>
  Buffer.from(random.list(length, length, () => random.int(256)));
/** The start of a line, where headers are. */
function lineStart(bytes: Buffer, random: Random): number {
  const at = bytes.indexOf('\r\n', random.int(bytes.length + 1));
  return at < 0 ? 0 : at + 2;
}

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) =>
    splice(bytes, random.int(bytes.length + 1), 0, Buffer.from(random.pick(TRAPS), 'latin1')),
  (bytes, random) => splice(bytes, lineStart(bytes, random), 0, Buffer.from(random.pick(TRAPS), 'latin1')),
  (bytes, random) => splice(bytes, random.int(bytes.length + 1), 1, noise(random, 1)),
  (bytes, random) => splice(bytes, random.int(bytes.length + 1), 0, noise(random, random.between(1, 40))),
  (bytes, random) => splice(bytes, random.int(bytes.length + 1), random.between(1, 40), Buffer.alloc(0)),
  (bytes, random) => bytes.subarray(0, random.int(bytes.length + 1)),
  (bytes, random) => {
    const from = random.int(bytes.length + 1);
    const part = bytes.subarray(from, from + random.between(1, 60));
    return splice(bytes, random.int(bytes.length + 1), 0, part);
  },
  (bytes, random) => Buffer.concat([bytes, Buffer.from(random.pick(RIGHT))]),
  (bytes) => Buffer.from(bytes.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'),
  (bytes, random) => splice(bytes, lineStart(bytes, random), 0, manyHeaders(random)),
  (bytes, random) =>
    splice(bytes, random.int(40), 0, Buffer.alloc(random.pick([1_000, 20_000, 70_000]), 'x')),
];

/** What the parser of HTTP lets pass, and those behind it must bear. */
const GENTLE_MUTATIONS: readonly Mutation[] = [
  (bytes, random) => splice(bytes, indexIn(bytes, 'uid='), random.int(6), queryNoise(random)),
  (bytes, random) => splice(bytes, indexIn(bytes, ' HTTP'), 0, queryNoise(random)),
  (bytes, random) => {
    const body = Math.min(indexIn(bytes, '\r\n\r\n') + 4, bytes.length);
    return splice(bytes, body + random.int(bytes.length - body + 1), 1, noise(random, 1));
  },
  (bytes, random) => {
    const line = Buffer.concat([Buffer.from('X-A: '), visible(random), Buffer.from('\r\n')]);
    return splice(bytes, lineStart(bytes, random), 0, line);
  },
];

const visible = (random: Random) => Buffer.from(random.list(0, 40, () => random.between(33, 126)));
const QUERY_NOISE = [
  '%00',
  '%E5%9C',
  '%F0%9F%98%80',
  '&uid=',
  '&crowdCode=',
  '+',
  '%',
  '=',
  'vip',
  '\xe9',
  '"',
  '<',
];
const queryNoise = (random: Random) =>
  Buffer.from(random.list(1, 12, () => random.pick(QUERY_NOISE)).join(''), 'latin1');

function manyHeaders(random: Random): Buffer {
  return Buffer.from(
    Array.from({ length: random.pick([20, 99, 300, 3_000]) }, (_, i) => `X-${i}: v\r\n`).join(''),
  );
}

/** The pieces in which request number `index` is to be written. */
export function mutatedRequest(seed: number, index: number): readonly Buffer[] {
  // Seeds beside each other must not give runs beside each other.
  const random = new Random(Math.imul(seed, 0x9e3779b1) ^ Math.imul(index + 1, 0x85ebca6b));
  if (random.chance(0.02)) return [noise(random, random.between(1, 2_000))];
  let bytes = Buffer.from(random.pick(RIGHT), 'latin1');
  const mutations = random.chance(0.6) ? GENTLE_MUTATIONS : MUTATIONS;
  for (let left = random.between(1, 3); left > 0; left--)
    bytes = Buffer.from(random.pick(mutations)(bytes, random));
  if (random.chance(0.7)) return [bytes];
  const cut = random.int(bytes.length + 1);
  return [bytes.subarray(0, cut), bytes.subarray(cut)];
}
