/**
 * The transport on uWebSockets.js, and the only file that touches its response objects: a response that is used after
 * it was answered or aborted ends the process.
 *
 * The rule that keeps it safe: whoever holds a response gives it up (sets his reference to undefined) before he ends it,
 * and an abort does the same. An exchange holds it while its handler runs; a deferred until reply or abort.
 */
import { QuanrenError } from '../../errors/quanren-error.js';
import type { LoadedUws, UwsRequest, UwsResponse } from './load-uws.js';
import {
  type Deferred,
  type Exchange,
  type Handler,
  INTERNAL_ERROR_BODY,
  INTERNAL_ERROR_HEAD,
  type ListeningTransport,
  MAX_DISCARDED_BYTES,
  type ReplyBody,
  type ReplyHead,
  type Transport,
  type TransportOptions,
} from './transport.js';

/** What the exchanges of one server share. */
interface ServerState {
  inFlight: number;
  isDraining: boolean;
}

function byteLength(body: ReplyBody): number {
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}

function write(
  response: UwsResponse,
  head: ReplyHead,
  body: ReplyBody,
  isHead: boolean,
  closes: boolean,
): void {
  if (head.status !== 200) response.writeStatus(head.statusLine);
  // In one call: it copies what it is given between name and line end, and a call costs more than the copy.
  if (head.firstName !== '') response.writeHeader(head.firstName, head.fromFirstValue);
  if (closes) response.writeHeader('connection', 'close');
  // Without an argument: given a length, builds of 2023 take the reply for unfinished and abort (seen with HEAD).
  if (isHead) response.writeHeader('content-length', String(byteLength(body))).endWithoutBody();
  else if (head.status === 204) response.endWithoutBody();
  else response.end(body, closes);
}

class UwsDeferred implements Deferred {
  readonly #state: ServerState;
  readonly #isHead: boolean;
  /** Undefined once replied or aborted. */
  #response: UwsResponse | undefined;
  /** The rest of the request is not wanted, so the connection cannot serve another. */
  mustClose = false;

  constructor(state: ServerState, response: UwsResponse, isHead: boolean) {
    this.#state = state;
    this.#isHead = isHead;
    this.#response = response;
    state.inFlight += 1;
    response.onAborted(() => {
      if (this.#release() !== undefined) this.#state.inFlight -= 1;
    });
  }

  get isOver(): boolean {
    return this.#response === undefined;
  }

  reply(head: ReplyHead, body: ReplyBody): void {
    const response = this.#release();
    if (response === undefined) return;
    this.#state.inFlight -= 1;
    response.cork(() => write(response, head, body, this.#isHead, this.mustClose || this.#state.isDraining));
  }

  #release(): UwsResponse | undefined {
    const response = this.#response;
    this.#response = undefined;
    return response;
  }
}

/** One object serves every request of a server, one after the other: handlers never nest. */
class UwsExchange implements Exchange {
  readonly #state: ServerState;
  readonly #isGetRoute: boolean;
  #response: UwsResponse | undefined;
  #request: UwsRequest | undefined;

  constructor(state: ServerState, isGetRoute: boolean) {
    this.#state = state;
    this.#isGetRoute = isGetRoute;
  }

  run(handler: Handler, response: UwsResponse, request: UwsRequest, onError: (error: unknown) => void): void {
    this.#response = response;
    this.#request = request;
    try {
      handler(this);
      if (this.#response !== undefined) throw new Error('The handler neither replied nor deferred.');
    } catch (error) {
      if (this.#response !== undefined) this.reply(INTERNAL_ERROR_HEAD, INTERNAL_ERROR_BODY);
      onError(error);
    } finally {
      this.#response = undefined;
      this.#request = undefined;
    }
  }

  get method(): string {
    return this.#isGetRoute ? 'GET' : this.#held(this.#request).getCaseSensitiveMethod().toUpperCase();
  }

  get path(): string {
    return this.#held(this.#request).getUrl();
  }

  get query(): string {
    return this.#held(this.#request).getQuery() ?? '';
  }

  header(name: string): string {
    return this.#held(this.#request).getHeader(name);
  }

  reply(head: ReplyHead, body: ReplyBody): void {
    const isHead = !this.#isGetRoute && this.method === 'HEAD';
    const response = this.#take();
    write(response, head, body, isHead, this.#state.isDraining);
  }

  defer(): UwsDeferred {
    const isHead = !this.#isGetRoute && this.method === 'HEAD';
    return new UwsDeferred(this.#state, this.#take(), isHead);
  }

  readBody(maxBytes: number, onBody: (deferred: Deferred, body: Uint8Array | 'too_large') => void): void {
    const declared = Number(this.header('content-length') || 0);
    const isDiscardable = declared > 0 && declared <= MAX_DISCARDED_BYTES;
    const response = this.#held(this.#response);
    const deferred = this.defer();
    const chunks: Buffer[] = [];
    let size = 0;
    let isTold = false;
    const tell = (body: Uint8Array | 'too_large'): void => {
      isTold = true;
      deferred.mustClose = body === 'too_large' && !isDiscardable;
      onBody(deferred, body);
    };
    response.onData((chunk, isLast) => {
      if (isTold || deferred.isOver) return;
      size += chunk.byteLength;
      if (size > maxBytes) {
        tell('too_large');
        return;
      }
      // The chunk's memory is taken back when this returns.
      chunks.push(Buffer.from(new Uint8Array(chunk)));
      if (isLast) tell(Buffer.concat(chunks));
    });
    if (declared > maxBytes) tell('too_large');
  }

  #held<T>(part: T | undefined): T {
    if (part === undefined) throw new Error('The exchange is over: it lives as long as its handler runs.');
    return part;
  }

  #take(): UwsResponse {
    const response = this.#held(this.#response);
    this.#response = undefined;
    return response;
  }
}

export function createUwsTransport({ uws, packageName }: LoadedUws): Transport {
  return {
    name: `uWebSockets.js (${packageName})`,
    canSharePort: process.platform === 'linux',
    listen: (options) => listen(uws, options),
  };
}

async function listen(uws: LoadedUws['uws'], options: TransportOptions): Promise<ListeningTransport> {
  const state: ServerState = { inFlight: 0, isDraining: false };
  let app: ReturnType<typeof uws.App>;
  try {
    app =
      options.tls === undefined
        ? uws.App()
        : uws.SSLApp({ cert_file_name: options.tls.certFile, key_file_name: options.tls.keyFile });
  } catch (cause) {
    throw new QuanrenError('set_up', 'The TLS certificate and key cannot be used.', { cause });
  }
  for (const [path, handler] of Object.entries(options.get)) {
    const exchange = new UwsExchange(state, true);
    app.get(path, (response, request) => exchange.run(handler, response, request, options.onHandlerError));
  }
  const exchange = new UwsExchange(state, false);
  app.any('/*', (response, request) =>
    exchange.run(options.other, response, request, options.onHandlerError),
  );
  const socket = await new Promise<object | false>((resolve) => {
    app.listen(options.host, options.port, resolve);
  });
  if (socket === false) {
    throw new QuanrenError('set_up', `Nothing can listen on ${options.host} port ${options.port}.`);
  }
  let isListening = true;
  const stopListening = (): void => {
    if (isListening) uws.us_listen_socket_close(socket);
    isListening = false;
  };
  return {
    port: uws.us_socket_local_port(socket),
    get inFlight() {
      return state.inFlight;
    },
    drain() {
      state.isDraining = true;
      stopListening();
    },
    close() {
      isListening = false;
      app.close();
    },
  };
}
