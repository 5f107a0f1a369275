/** A socket on loopback that speaks HBase's protocol as far as a test wants, and misbehaves as it wants. */
import net from 'node:net';
import type { Address } from '../../config/addresses.js';
import { FrameSplitter } from '../../stores/hbase/connection/frame-splitter.js';
import { utf8Bytes } from '../../stores/hbase/wire/byte-string.js';
import { ProtoReader } from '../../stores/hbase/wire/proto-reader.js';
import { ProtoWriter } from '../../stores/hbase/wire/proto-writer.js';

/** `request`: before the message that says what is wanted, which is delimited. */
export type Answer = (callId: number, method: string, socket: net.Socket, request: ProtoReader) => void;

export interface FakeRpcServer {
  readonly address: Address;
  readonly stop: () => void;
}

interface Manners {
  readonly onConnection?: (socket: net.Socket) => void;
  readonly port?: number;
  /** Whether it answers the first ping of a connection; else `answer` is asked to. */
  readonly isGreeting?: boolean;
  /** What comes before the connection header: the preamble, and what a handshake says. */
  readonly preambleBytes?: number;
}

const PREAMBLE_BYTES = 6;
const MAX_FRAME_BYTES = 2 ** 20;

/** Reads requests, and leaves the answers to `answer`. */
export async function startFakeRpcServer(answer: Answer, manners: Manners = {}): Promise<FakeRpcServer> {
  const { onConnection, port = 0, isGreeting = true, preambleBytes = PREAMBLE_BYTES } = manners;
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection?.(socket);
    const frames = new FrameSplitter(MAX_FRAME_BYTES);
    let skipped = 0;
    let hasHeader = false;
    socket.on('data', (chunk) => {
      const skip = Math.min(preambleBytes - skipped, chunk.length);
      skipped += skip;
      for (const frame of frames.push(chunk.subarray(skip))) {
        if (hasHeader) {
          const request = new ProtoReader(frame);
          const { callId, method } = request.delimited(readRequestHeader);
          if (callId === 1 && isGreeting) reply(socket, callId);
          else answer(callId, method, socket, request);
        }
        hasHeader = true;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    address: { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port },
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function readRequestHeader(header: ProtoReader): { callId: number; method: string } {
  let callId = 0;
  let method = '';
  for (let field = header.next(); field !== 0; field = header.next()) {
    if (field === 1) callId = header.uint();
    else if (field === 3) method = header.text();
    else header.skip();
  }
  return { callId, method };
}

/** An answer: empty, an exception, or what `write` writes, with its cell block. */
export function reply(
  socket: net.Socket,
  callId: number,
  answer: {
    readonly exception?: string;
    readonly write?: (writer: ProtoWriter) => void;
    readonly cells?: Buffer;
  } = {},
): void {
  const { exception, write = () => undefined, cells = Buffer.alloc(0) } = answer;
  const writer = new ProtoWriter();
  writer.int32(0);
  writer.delimited((header) => {
    header.uint(1, callId);
    if (exception !== undefined) header.message(2, (failure) => failure.bytes(1, utf8Bytes(exception)));
    if (cells.length > 0) header.message(3, (meta) => meta.uint(1, cells.length));
  });
  if (exception === undefined) writer.delimited(write);
  writer.int32At(0, writer.length - 4 + cells.length);
  socket.write(Buffer.concat([writer.finish(), cells]));
}
