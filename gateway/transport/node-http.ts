/** The transport on node:http: slower (several times the CPU per request), for machines that no uWebSockets.js build fits. */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { QuanrenError } from '../../errors/quanren-error.js';
import {
  type Deferred,
  type Exchange,
  type Handler,
  IDLE_TIMEOUT_MS,
  INTERNAL_ERROR_BODY,
  INTERNAL_ERROR_HEAD,
  type ListeningTransport,
  MAX_DISCARDED_BYTES,
  MAX_HEADER_BYTES,
  type ReplyBody,
  type ReplyHead,
  type Transport,
  type TransportOptions,
} from './transport.js';

interface ServerState {
  inFlight: number;
  isDraining: boolean;
}

class NodeExchange implements Exchange, Deferred {
  readonly #state: ServerState;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  isOver = false;
  isDeferred = false;
  #mustClose = false;

  constructor(state: ServerState, request: IncomingMessage, response: ServerResponse) {
    this.#state = state;
    this.#request = request;
    this.#response = response;
    state.inFlight += 1;
    response.on('close', () => this.#end());
    // A response that waits behind another of its connection is not told that this has closed.
    request.on('close', () => {
      if (!request.complete) this.#end();
    });
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get path(): string {
    return this.#target()[0] ?? '';
  }

  get query(): string {
    return this.#target()[1] ?? '';
  }

  header(name: string): string {
    const value = this.#request.headers[name];
    return (Array.isArray(value) ? value[0] : value) ?? '';
  }

  reply(head: ReplyHead, body: ReplyBody): void {
    if (this.isOver) return;
    this.#end();
    // A copy: the bytes may be sent after this returns.
    const bytes = Buffer.from(body);
    const headers = head.headers.flat();
    if (this.#mustClose || this.#state.isDraining) headers.push('connection', 'close');
    if (head.status !== 204) headers.push('content-length', String(bytes.length));
    this.#response.writeHead(head.status, head.statusLine.slice(4), headers);
    this.#response.end(head.status === 204 ? undefined : bytes);
    // What is left of a body that nobody reads.
    if (this.#mustClose) this.#response.once('finish', () => this.#request.destroy());
    else this.#request.resume();
  }

  defer(): Deferred {
    this.isDeferred = true;
    return this;
  }

  readBody(maxBytes: number, onBody: (deferred: Deferred, body: Uint8Array | 'too_large') => void): void {
    this.isDeferred = true;
    const chunks: Buffer[] = [];
    let size = 0;
    const declared = Number(this.header('content-length') || 0);
    const tooLarge = (): void => {
      this.#mustClose = !(declared > 0 && declared <= MAX_DISCARDED_BYTES);
      onBody(this, 'too_large');
    };
    if (declared > maxBytes) {
      tooLarge();
      return;
    }
    this.#request.on('data', (chunk: Buffer) => {
      if (this.isOver || size > maxBytes) return;
      size += chunk.length;
      if (size > maxBytes) tooLarge();
      else chunks.push(chunk);
    });
    this.#request.on('end', () => {
      if (!this.isOver && size <= maxBytes) onBody(this, Buffer.concat(chunks));
    });
  }

  #end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#state.inFlight -= 1;
  }

  #target(): [string, string?] {
    const url = this.#request.url ?? '';
    const mark = url.indexOf('?');
    return mark < 0 ? [url] : [url.slice(0, mark), url.slice(mark + 1)];
  }
}

export const nodeHttpTransport: Transport = {
  name: 'node:http',
  canSharePort: false,
  listen,
};

async function listen(options: TransportOptions): Promise<ListeningTransport> {
  const state: ServerState = { inFlight: 0, isDraining: false };
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const exchange = new NodeExchange(state, request, response);
    const handler: Handler =
      (exchange.method === 'GET' && Object.hasOwn(options.get, exchange.path)
        ? options.get[exchange.path]
        : undefined) ?? options.other;
    try {
      handler(exchange);
      if (!exchange.isOver && !exchange.isDeferred)
        throw new Error('The handler neither replied nor deferred.');
    } catch (error) {
      exchange.reply(INTERNAL_ERROR_HEAD, INTERNAL_ERROR_BODY);
      options.onHandlerError(error);
    }
  };
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: IDLE_TIMEOUT_MS,
    requestTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    // Else these are looked at every 30 s, and a TLS handshake may take two minutes.
    connectionsCheckingInterval: IDLE_TIMEOUT_MS / 10,
    handshakeTimeout: IDLE_TIMEOUT_MS,
  };
  const server =
    options.tls === undefined
      ? createServer(limits, handle)
      : createTlsServer({ ...limits, ...readTls(options.tls) }, handle);
  server.setTimeout(IDLE_TIMEOUT_MS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new QuanrenError('set_up', `Nothing can listen on ${options.host} port ${options.port}.`, { cause }),
      ),
    );
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    get inFlight() {
      return state.inFlight;
    },
    drain() {
      state.isDraining = true;
      server.close();
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function readTls(tls: NonNullable<TransportOptions['tls']>): { cert: Buffer; key: Buffer } {
  try {
    return { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
  } catch (cause) {
    throw new QuanrenError('set_up', 'The TLS certificate and key cannot be used.', { cause });
  }
}
