/**
 * One keep-alive connection that has one request under way at a time: the least that a load generator can spend on a
 * request. Replies must say their length, as the gateway's do.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawReply {
  readonly status: number;
  /** From the status line up to the empty line, in latin1. */
  readonly head: string;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer, headBytes: number) {
    this.head = bytes.toString('latin1', 0, headBytes);
    this.status = Number(this.head.slice(9, 12));
    this.#bytes = bytes;
  }

  /** UTF-8; decoded when it is asked for: replies may be long, and a generator does not read them. */
  get body(): string {
    return this.#bytes.toString('utf8', this.head.length);
  }
}

interface Waiting {
  readonly resolve: (reply: RawReply) => void;
  readonly reject: (error: Error) => void;
}

export class RawHttpClient {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** Of the whole reply; undefined until its head is there. */
  #replyBytes: number | undefined;
  #headBytes = 0;
  #waiting: Waiting | undefined;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The connection was closed.')));
  }

  static async connect(port: number): Promise<RawHttpClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawHttpClient(socket);
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  /** Rejects when the connection ends before the reply is whole. */
  get(target: string): Promise<RawReply> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure;
      this.#waiting = { resolve, reject };
      this.#socket.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#replyBytes === undefined) {
      const received = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.#headBytes = end + 4;
      const head = received.toString('latin1', 0, end);
      const length = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      this.#replyBytes = this.#headBytes + length;
    }
    if (this.#receivedBytes < this.#replyBytes) return;
    const reply = this.#received.length === 1 ? chunk : Buffer.concat(this.#received);
    this.#received = [];
    this.#receivedBytes = 0;
    this.#replyBytes = undefined;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(new RawReply(reply, this.#headBytes));
  }
}
