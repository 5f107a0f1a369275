/**
 * One connection to one service of a server, from its first byte to its last. The protocol is at the head of RPC.proto.
 *
 *   opening ──▶ open ──▶ failed
 *
 * It fails once: then every call in flight rejects, and it is never used again. It fails when the socket ends, when the
 * server sends what is not the protocol, or when it is silent: a server that has not been heard while it is in use (or for
 * long) is sent a ping, and has failed if nothing at all arrives after it. So a half-open connection is found without
 * waiting for TCP.
 */

import net from 'node:net';
import tls from 'node:tls';
import type { Address } from '../../../config/addresses.js';
import { reasonOf } from '../../../errors/reason-of.js';
import { type ByteString, utf8Bytes } from '../wire/byte-string.js';
import { CellBlockReader } from '../wire/cell-block.js';
import { writeConnectionHeader } from '../wire/messages/connection-header.js';
import { writeRequestHeader } from '../wire/messages/request-header.js';
import { readResponseHeader } from '../wire/messages/response-header.js';
import { ProtoReader } from '../wire/proto-reader.js';
import { ProtoWriter } from '../wire/proto-writer.js';
import { WireError } from '../wire/wire-error.js';
import type { Authentication } from './authentication.js';
import { CallsInFlight } from './calls-in-flight.js';
import { ConnectionError } from './connection-error.js';
import { FrameSplitter } from './frame-splitter.js';
import { RemoteException } from './remote-exception.js';
import { PING_METHODS, type Service } from './services.js';

export interface ConnectionOptions {
  readonly authentication: Authentication;
  /** Set: the server speaks TLS (`hbase.server.netty.tls.enabled`). */
  readonly tls?: tls.ConnectionOptions;
  readonly connectTimeoutMs: number;
  /** A frame may be this long at most. */
  readonly maxFrameBytes: number;
  /** Calls that may wait for an answer at once; one more is refused. */
  readonly maxCallsInFlight: number;
  /** A server that is in use, and has been silent for this long, is sent a ping. */
  readonly busyPingMs: number;
  /** It is in use while calls wait, and for this long after the last: who asks next is to know whether it is there. */
  readonly inUseMs: number;
  /** While it is not, it is one silent for this long. */
  readonly idlePingMs: number;
  /** Silent for this long after a ping: gone. */
  readonly pingTimeoutMs: number;
}

export interface RpcCall<T> {
  readonly method: string;
  readonly write: (writer: ProtoWriter) => void;
  /** Must read the message up to its end. */
  readonly read: (reader: ProtoReader, cells: CellBlockReader) => T;
  readonly timeoutMs: number;
}

interface PendingCall {
  readonly answer: (reader: ProtoReader, cells: CellBlockReader) => void;
  readonly fail: (error: Error) => void;
}

/** `HBas`, the version of the protocol; then comes the byte of the authentication. */
const PREAMBLE = 'HBas\0';
const FIRST_WRITER_BYTES = 16_384;
const MAX_WRITER_BYTES = 262_144;

export class RpcConnection {
  /** Resolves when it has failed, or was closed. */
  readonly ended: Promise<void>;
  readonly #socket: net.Socket;
  readonly #service: Service;
  readonly #options: ConnectionOptions;
  readonly #frames: FrameSplitter;
  readonly #calls: CallsInFlight<PendingCall>;
  readonly #methodNames = new Map<string, ByteString>();
  #writer = new ProtoWriter(FIRST_WRITER_BYTES);
  readonly #watch: NodeJS.Timeout;
  readonly #watchMs: number;
  #end: () => void = () => undefined;
  #failure: Error | undefined;
  #heardAtMs = performance.now();
  #silentSinceMs: number | undefined;
  #watchedAtMs = performance.now();
  #calledAtMs = performance.now();
  /** When the ping that waits was sent. */
  #pingedAtMs: number | undefined;
  /** The ping that was sent last. */
  #pingId = 0;

  /**
   * Resolves when the server has answered a ping: a process that is stopped, or a proxy whose server is gone, would take
   * the connection too. Rejects with ConnectionError, or with the RemoteException with which the server refuses us.
   */
  static async open(address: Address, service: Service, options: ConnectionOptions): Promise<RpcConnection> {
    const socket = await connect(address, options);
    try {
      socket.write(Buffer.from([...Buffer.from(PREAMBLE), options.authentication.authByte]));
      await shakeHands(socket, options);
    } catch (error) {
      socket.destroy();
      throw new ConnectionError('refused', 'The server did not accept who we are.', error);
    }
    const connection = new RpcConnection(socket, service, options);
    try {
      await connection.#greet();
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  private constructor(socket: net.Socket, service: Service, options: ConnectionOptions) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#socket = socket;
    this.#service = service;
    this.#options = options;
    this.#frames = new FrameSplitter(options.maxFrameBytes);
    // One more, for a ping.
    this.#calls = new CallsInFlight(options.maxCallsInFlight + 1);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) =>
      this.#fail(new ConnectionError('lost', `The connection broke (${reasonOf(error)}).`, error)),
    );
    socket.on('close', () => this.#fail(new ConnectionError('lost', 'The server closed the connection.')));
    const header = new ProtoWriter();
    header.int32(0);
    writeConnectionHeader(header, options.authentication.userName, service);
    header.int32At(0, header.length - 4);
    socket.write(header.finish());
    this.#watchMs = Math.max(10, Math.min(options.busyPingMs, options.pingTimeoutMs) / 4);
    this.#watch = setInterval(() => this.#watchSilence(), this.#watchMs);
    this.#watch.unref();
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** Where it failed because the server was silent: when that was last heard. */
  get silentSinceMs(): number | undefined {
    return this.#silentSinceMs;
  }

  /** Rejects with RemoteException, ConnectionError, or WireError. */
  call<T>(call: RpcCall<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#calls.size >= this.#options.maxCallsInFlight) {
        throw new ConnectionError('refused', 'Too many calls wait for this server.');
      }
      this.#calledAtMs = performance.now();
      const id = this.#calls.add({
        answer: (reader, cells) => {
          clearTimeout(timer);
          resolve(reader.delimited((message) => call.read(message, cells)));
        },
        fail: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      const timer = setTimeout(() => {
        this.#calls.take(id);
        reject(new ConnectionError('timeout', `There was no answer within ${call.timeoutMs} ms.`));
      }, call.timeoutMs);
      this.#send(id, call.method, call.timeoutMs, call.write);
    });
  }

  close(): void {
    this.#fail(new ConnectionError('lost', 'The connection was closed.'));
  }

  async #greet(): Promise<void> {
    const method = PING_METHODS[this.#service];
    const timeoutMs = this.#options.connectTimeoutMs;
    try {
      await this.call({ method, write: () => undefined, read: skipAll, timeoutMs });
    } catch (error) {
      // An exception is an answer, unless it is about the connection.
      if (error instanceof RemoteException && !this.hasFailed) return;
      throw error;
    }
  }

  #send(callId: number, method: string, timeoutMs: number, write: (writer: ProtoWriter) => void): void {
    let methodName = this.#methodNames.get(method);
    if (methodName === undefined) {
      methodName = utf8Bytes(method);
      this.#methodNames.set(method, methodName);
    }
    const writer = this.#writer;
    writer.reset();
    writer.int32(0);
    const header = writer.begin();
    writeRequestHeader(writer, { callId, methodName, timeoutMs });
    writer.end(header);
    const message = writer.begin();
    write(writer);
    writer.end(message);
    writer.int32At(0, writer.length - 4);
    this.#socket.write(writer.finish());
    // What the system has not taken yet is still read from that memory; and one great request must not hold it for ever.
    const isFree = this.#socket.writableLength === 0 && writer.length <= MAX_WRITER_BYTES;
    if (!isFree) this.#writer = new ProtoWriter(FIRST_WRITER_BYTES);
  }

  #receive(chunk: Buffer): void {
    this.#heardAtMs = performance.now();
    this.#pingedAtMs = undefined;
    try {
      for (const frame of this.#frames.push(chunk)) {
        this.#answer(frame);
        if (this.#failure !== undefined) return;
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new WireError('A frame could not be read.'));
    }
  }

  /** A frame that cannot be read says that the two sides no longer agree where frames start: it throws. */
  #answer(frame: Buffer): void {
    const reader = new ProtoReader(frame);
    const header = reader.delimited(readResponseHeader);
    const pending = this.#calls.take(header.callId);
    if (header.failure !== undefined) {
      const error = new RemoteException(header.failure);
      // The server refuses the connection itself with an id that no call has.
      if (pending === undefined && header.callId > this.#calls.lastId) throw error;
      pending?.fail(error);
      return;
    }
    // Its caller has given up.
    if (pending === undefined) return;
    try {
      const cellsStart = frame.length - header.cellBlockBytes;
      if (cellsStart < reader.position) throw new WireError('A cell block is longer than its frame.');
      pending.answer(reader, new CellBlockReader(frame, cellsStart, frame.length));
    } catch (error) {
      const failure = error instanceof Error ? error : new WireError('An answer could not be read.');
      pending.fail(failure);
      throw failure;
    }
  }

  #watchSilence(): void {
    const nowMs = performance.now();
    const isLate = nowMs - this.#watchedAtMs > 2 * this.#watchMs + 50;
    this.#watchedAtMs = nowMs;
    if (this.#pingedAtMs !== undefined) {
      // This process was not running: what it did not hear in that time says nothing of the server.
      if (isLate) this.#pingedAtMs = nowMs;
      else if (nowMs - this.#pingedAtMs > this.#options.pingTimeoutMs) {
        this.#silentSinceMs = this.#heardAtMs;
        const silence = 'The server was silent, and did not answer a ping.';
        this.#fail(new ConnectionError('lost', silence, undefined, true));
      }
      return;
    }
    const { busyPingMs, idlePingMs, inUseMs } = this.#options;
    const isInUse = this.#calls.size > 0 || nowMs - this.#calledAtMs < inUseMs;
    const quietMs = isInUse ? busyPingMs : idlePingMs;
    if (nowMs - this.#heardAtMs < quietMs) return;
    this.#pingedAtMs = nowMs;
    const ignore = () => undefined;
    // One that was never answered, though other calls were, is let go.
    this.#calls.take(this.#pingId);
    this.#pingId = this.#calls.add({ answer: ignore, fail: ignore });
    this.#send(this.#pingId, PING_METHODS[this.#service], this.#options.pingTimeoutMs, ignore);
  }

  #fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    clearInterval(this.#watch);
    this.#socket.destroy();
    this.#end();
    for (const each of this.#calls.takeAll()) each.fail(error);
  }
}

/** Rejects when the server does not believe us, is gone meanwhile, or does not answer in time. */
function shakeHands(
  socket: net.Socket,
  { authentication, connectTimeoutMs }: ConnectionOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`It did not answer within ${connectTimeoutMs} ms.`)),
      connectTimeoutMs,
    );
    const onClose = () => reject(new Error('It closed the connection.'));
    socket.once('error', reject);
    socket.once('close', onClose);
    authentication
      .handshake(socket)
      .then(resolve, reject)
      .finally(() => {
        clearTimeout(timer);
        socket.off('error', reject);
        socket.off('close', onClose);
      });
  });
}

function skipAll(reader: ProtoReader): void {
  while (reader.next() !== 0) reader.skip();
}

function connect(address: Address, options: ConnectionOptions): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      options.tls === undefined
        ? net.connect({ ...address, noDelay: true })
        : tls.connect({ ...options.tls, ...address });
    const where = `${address.host}:${address.port}`;
    const timer = setTimeout(() => {
      socket.destroy();
      reject(
        new ConnectionError('refused', `${where} did not connect within ${options.connectTimeoutMs} ms.`),
      );
    }, options.connectTimeoutMs);
    socket.once('error', (error) => {
      clearTimeout(timer);
      reject(new ConnectionError('refused', `${where} cannot be reached (${reasonOf(error)}).`, error));
    });
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}
