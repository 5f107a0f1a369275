/** Connections to servers that misbehave: sockets on loopback that say what the test wants and no more. */

import assert from 'node:assert/strict';
import net from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../../config/addresses.js';
import { utf8Bytes } from '../wire/byte-string.js';
import { ProtoReader } from '../wire/proto-reader.js';
import { ProtoWriter } from '../wire/proto-writer.js';
import { simpleAuthentication } from './authentication.js';
import { FrameSplitter } from './frame-splitter.js';
import { type ConnectionOptions, RpcConnection } from './rpc-connection.js';
import { ServerLink } from './server-link.js';

const OPTIONS: ConnectionOptions = {
  authentication: simpleAuthentication('tester'),
  connectTimeoutMs: 1_000,
  maxFrameBytes: 1_000,
  maxCallsInFlight: 10,
  busyPingMs: 50,
  idlePingMs: 150,
  pingTimeoutMs: 100,
};
const PREAMBLE_BYTES = 6;

type Answer = (callId: number, method: string, socket: net.Socket) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that reads requests and answers as it is told. */
async function serve(
  answer: Answer,
  onConnection: (socket: net.Socket) => void = () => undefined,
  { port = 0, isGreeting = true }: { readonly port?: number; readonly isGreeting?: boolean } = {},
) {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
    const frames = new FrameSplitter(10_000);
    let skipped = 0;
    let hasHeader = false;
    socket.on('data', (chunk) => {
      const skip = Math.min(PREAMBLE_BYTES - skipped, chunk.length);
      skipped += skip;
      for (const frame of frames.push(chunk.subarray(skip))) {
        if (hasHeader) new ProtoReader(frame).delimited((header) => readRequest(header, socket));
        hasHeader = true;
      }
    });
  });
  function readRequest(header: ProtoReader, socket: net.Socket): void {
    let callId = 0;
    let method = '';
    for (let field = header.next(); field !== 0; field = header.next()) {
      if (field === 1) callId = header.uint();
      else if (field === 3) method = header.text();
      else header.skip();
    }
    // The first ping of a connection.
    if (callId === 1 && isGreeting) reply(socket, callId);
    else answer(callId, method, socket);
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  closing.push(stop);
  const address: Address = { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
  return { address, stop };
}

/** An empty answer, or an exception. */
function reply(socket: net.Socket, callId: number, exception?: string): void {
  const writer = new ProtoWriter();
  writer.int32(0);
  writer.delimited((header) => {
    header.uint(1, callId);
    if (exception !== undefined) header.message(2, (failure) => failure.bytes(1, utf8Bytes(exception)));
  });
  if (exception === undefined) writer.delimited(() => undefined);
  writer.int32At(0, writer.length - 4);
  socket.write(writer.finish());
}

async function open(address: Address, options = OPTIONS): Promise<RpcConnection> {
  const connection = await RpcConnection.open(address, 'ClientService', options);
  closing.push(() => connection.close());
  return connection;
}

const ask = (method: string, timeoutMs: number) => ({
  method,
  write: () => undefined,
  read: () => 'answered',
  timeoutMs,
});

describe('RpcConnection', () => {
  it('matches answers to calls in any order', async () => {
    const waiting: number[] = [];
    const { address } = await serve((callId, _method, socket) => {
      waiting.push(callId);
      if (waiting.length === 3) for (const id of waiting.reverse()) reply(socket, id);
    });
    const connection = await open(address);
    const calls = [1, 2, 3].map(() => connection.call(ask('Get', 1_000)));
    assert.deepEqual(await Promise.all(calls), ['answered', 'answered', 'answered']);
  });

  it('finds out that the other end is gone long before the deadline of the call', async () => {
    const { address } = await serve(() => undefined);
    const connection = await open(address);
    const startedMs = Date.now();
    await assert.rejects(connection.call(ask('Get', 60_000)), { name: 'ConnectionError', kind: 'lost' });
    assert.ok(Date.now() - startedMs < 2_000);
    assert.equal(connection.hasFailed, true);
  });

  it('finds out so while no call waits, too', async () => {
    const { address } = await serve(() => undefined);
    const connection = await open(address);
    for (let i = 0; i < 100 && !connection.hasFailed; i += 1) await sleep(20);
    assert.equal(connection.hasFailed, true);
  });

  it('waits for a server that is slow and answers pings', async () => {
    const { address } = await serve((callId, method, socket) => {
      if (method === 'Get') setTimeout(() => reply(socket, callId), 600);
      else reply(socket, callId);
    });
    const connection = await open(address);
    assert.equal(await connection.call(ask('Get', 5_000)), 'answered');
  });

  it('gives a call up at its deadline, and takes no harm from the answer that comes after it', async () => {
    const { address } = await serve((callId, method, socket) => {
      setTimeout(() => reply(socket, callId), method === 'Slow' ? 100 : 0);
    });
    const connection = await open(address);
    await assert.rejects(connection.call(ask('Slow', 30)), { name: 'ConnectionError', kind: 'timeout' });
    await sleep(150);
    assert.equal(await connection.call(ask('Get', 1_000)), 'answered');
  });

  it('fails every call when the server sends what is not the protocol', async () => {
    for (const garbage of [
      Buffer.alloc(40, 0xff),
      Buffer.from([0, 0, 0, 2, 9, 9]),
      Buffer.from('HTTP/1.1 400\r\n'),
    ]) {
      const { address } = await serve((_callId, method, socket) => {
        if (method === 'Last') socket.write(garbage);
      });
      const connection = await open(address);
      const calls = [ask('Get', 5_000), ask('Last', 5_000)].map((call) => connection.call(call));
      for (const call of calls) await assert.rejects(call, { name: 'WireError' });
      await assert.rejects(connection.call(ask('Get', 5_000)), { name: 'WireError' });
    }
  });

  it('says why the server does not accept us, to every call', async () => {
    const refusal = 'org.apache.hadoop.hbase.security.AccessDeniedException';
    const { address } = await serve(
      () => undefined,
      (socket) => {
        reply(socket, 2 ** 32 - 33, refusal);
        socket.end();
      },
    );
    const refused = { name: 'RemoteException', className: 'AccessDeniedException' };
    await assert.rejects(open(address), refused);
    const link = new ServerLink(address, 'ClientService', OPTIONS);
    closing.push(() => link.close());
    for (let i = 0; i < 5; i += 1) await assert.rejects(link.call(ask('Get', 5_000)), refused);
  });

  it('is not open before the server has answered', async () => {
    const { address } = await serve(() => undefined, undefined, { isGreeting: false });
    await assert.rejects(open(address), { name: 'ConnectionError' });
  });

  it('refuses more calls than may wait', async () => {
    const { address } = await serve((callId, method, socket) => {
      if (method !== 'Get') reply(socket, callId);
    });
    const connection = await open(address);
    const calls = Array.from({ length: 10 }, () => connection.call(ask('Get', 5_000)));
    await assert.rejects(connection.call(ask('Get', 5_000)), { name: 'ConnectionError', kind: 'refused' });
    connection.close();
    for (const call of calls) await assert.rejects(call, { kind: 'lost' });
  });
});

describe('ServerLink', () => {
  it('makes one attempt at a time, rests between them, and says when the server is away for long', async () => {
    let attempts = 0;
    const { address } = await serve(
      () => undefined,
      (socket) => {
        attempts += 1;
        socket.destroy();
      },
    );
    const link = new ServerLink(address, 'ClientService', OPTIONS);
    closing.push(() => link.close());
    let lasting = 0;
    const untilMs = Date.now() + 1_000;
    while (Date.now() < untilMs) {
      const calls = Array.from({ length: 200 }, () => link.call(ask('Get', 1_000)));
      for (const result of await Promise.allSettled(calls)) {
        assert.equal(result.status, 'rejected');
        if ((result.reason as { isLasting: boolean }).isLasting) lasting += 1;
      }
      await sleep(5);
    }
    assert.ok(attempts >= 2 && attempts <= 12, `${attempts} attempts in a second`);
    assert.ok(lasting > 0);
  });

  it('connects again by itself when the server is back', async () => {
    const answer: Answer = (callId, _method, socket) => reply(socket, callId);
    const { address, stop } = await serve(answer);
    const link = new ServerLink(address, 'ClientService', OPTIONS);
    closing.push(() => link.close());
    assert.equal(await link.call(ask('Get', 1_000)), 'answered');
    stop();
    await assert.rejects(async () => {
      for (let i = 0; i < 50; i += 1) {
        await link.call(ask('Get', 1_000));
        await sleep(5);
      }
    });
    await serve(answer, undefined, { port: address.port });
    const untilMs = Date.now() + 3_000;
    for (;;) {
      const result = await link.call(ask('Get', 1_000)).catch(() => undefined);
      if (result === 'answered') break;
      assert.ok(Date.now() < untilMs);
      await sleep(10);
    }
  });
});
