/**
 * What the gateway needs of an HTTP server, and no more. Two servers give it: `uws.ts` and `node-http.ts`; both keep
 * `transport.contract.ts`.
 *
 * An exchange is one request and its one reply. It is valid only while its handler runs: a handler replies before it
 * returns, or calls `defer` or `readBody` and replies through the `Deferred` it got, whenever it likes.
 */

/** Status and headers of a reply, made once and used for many: `createHead`. */
export interface ReplyHead {
  readonly status: number;
  /** Status code and reason phrase. */
  readonly statusLine: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The headers as one block: the name of the first, and everything from its value to the last one's. */
  readonly firstName: string;
  readonly fromFirstValue: string;
}

/** UTF-8. Bytes are copied before `reply` returns, so the caller may overwrite them. */
export type ReplyBody = string | Uint8Array;

export interface Exchange {
  /** Upper case. */
  readonly method: string;
  /** As sent, before the `?`. */
  readonly path: string;
  /** As sent, after the `?`; empty without one. */
  readonly query: string;
  /** The value of a header by its lower-case name; empty where it is missing. */
  header(name: string): string;
  /** To a HEAD request the body's length is said and the body is not sent. */
  reply(head: ReplyHead, body: ReplyBody): void;
  defer(): Deferred;
  /**
   * Reads the body, then calls `onBody`. A body of more than `maxBytes` is `too_large`, told as soon as it is known. What
   * is left of it is discarded where its length was said and is at most `MAX_DISCARDED_BYTES`, so that the client gets to
   * read the reply; else the connection closes. `onBody` is not called when the client goes away.
   */
  readBody(maxBytes: number, onBody: (deferred: Deferred, body: Uint8Array | 'too_large') => void): void;
}

export interface Deferred {
  /** True once the client is gone or the reply is sent: from then on `reply` does nothing. */
  readonly isOver: boolean;
  reply(head: ReplyHead, body: ReplyBody): void;
}

export type Handler = (exchange: Exchange) => void;

export interface TransportOptions {
  readonly host: string;
  readonly port: number;
  /** Present: only TLS is spoken. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
  /** GET requests of exactly these paths go to these handlers. */
  readonly get: Readonly<Record<string, Handler>>;
  /** Everything else. */
  readonly other: Handler;
  /** Hears of what a handler threw; the client has got 500, or its connection was closed. */
  readonly onHandlerError: (error: unknown) => void;
}

export interface ListeningTransport {
  readonly port: number;
  /** Requests whose reply is still to come. */
  readonly inFlight: number;
  /** Takes no new connection, and closes each existing one after its next reply. */
  drain(): void;
  /** Closes everything at once. */
  close(): void;
}

export interface Transport {
  /** For people: which server this is. */
  readonly name: string;
  /** Can several processes of this machine listen on one port and share its connections? */
  readonly canSharePort: boolean;
  /** Rejects with `set_up` where the address is taken or the TLS files do not do. */
  listen(options: TransportOptions): Promise<ListeningTransport>;
}

/**
 * Request line and headers together may have this many bytes: a JWT may take 8 KiB of it. Longer ones end the connection,
 * with or without 431; uWebSockets.js lets up to 512 KiB pass that come in one piece.
 */
export const MAX_HEADER_BYTES = 16 * 1024;
export const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;
/**
 * A connection is closed whose request is not whole after this long, however its bytes trickle in, or on which nothing happens.
 * uWebSockets.js has bounds of its own, which cannot be set: 10 s with `uws-node20`, 30 s with `uws-node24`, each looked at every
 * 4 s; they wait longer for a body that comes at 16 KiB/s.
 */
export const IDLE_TIMEOUT_MS = 10_000;

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export function createHead(status: number, headers: Readonly<Record<string, string>>): ReplyHead {
  const entries = Object.entries(headers);
  const block = entries.map(([name, value]) => `${name}: ${value}`).join('\r\n');
  const firstName = entries[0]?.[0] ?? '';
  return {
    status,
    statusLine: `${status} ${REASONS[status] ?? ''}`,
    headers: entries,
    firstName,
    fromFirstValue: block.slice(firstName.length + 2),
  };
}

export const INTERNAL_ERROR_HEAD = createHead(500, { 'content-type': 'application/problem+json' });
export const INTERNAL_ERROR_BODY =
  '{"type":"urn:quanren:error:internal","title":"Something in Quanren is wrong","status":500,' +
  '"detail":"An unexpected error; the log has more.","code":"internal"}';
