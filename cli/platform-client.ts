/** The CLI's way to the platform: its HTTP API, with problem documents turned back into errors. */
import { ERROR_KINDS, type ErrorCode } from '../errors/error-codes.js';
import { QuanrenError } from '../errors/quanren-error.js';
import { reasonOf } from '../errors/reason-of.js';

const REQUEST_TIMEOUT_MS = 30_000;
const FOLLOW_INTERVAL_MS = 200;

export interface ClientRequest {
  readonly method?: 'GET' | 'PUT' | 'POST' | 'DELETE';
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is, streamed. */
  readonly body?: ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 30 s. */
  readonly timeoutMs?: number;
}

const LOGIN_ADVICE = ' Put a token or an API key into QUANREN_CLI_TOKEN.';
/** OpenSSL's and Node's reasons for a certificate that is not trusted. */
const DISTRUST = /certificate|CERT|altnames/i;
const TRUST_ADVICE = ' NODE_EXTRA_CA_CERTS names a file of certificates to trust.';

function toError(status: number, body: unknown): QuanrenError {
  const problem = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const { type: _type, title: _title, status: _status, detail, code, ...extra } = problem;
  const known =
    typeof code === 'string' && Object.hasOwn(ERROR_KINDS, code) ? (code as ErrorCode) : 'internal';
  const sentence = typeof detail === 'string' ? detail : `The platform answered ${status}.`;
  return new QuanrenError(known, status === 401 ? sentence + LOGIN_ADVICE : sentence, { extra });
}

export class PlatformClient {
  readonly #url: string;
  readonly #token: string | null;

  /** `token`: a bearer token or API key, where the platform asks for one. */
  constructor(url: string, token: string | null) {
    this.#url = url;
    this.#token = token;
  }

  /** The JSON of a 2xx answer; a problem document is thrown as the error it tells of. */
  async request(path: string, request: ClientRequest = {}): Promise<unknown> {
    const { method = 'GET', json, body, headers, timeoutMs = REQUEST_TIMEOUT_MS } = request;
    const init: RequestInit & { duplex?: 'half' } = {
      method,
      headers: {
        ...(this.#token === null ? {} : { authorization: `Bearer ${this.#token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      signal: AbortSignal.timeout(timeoutMs),
    };
    if (json !== undefined) init.body = JSON.stringify(json);
    if (body !== undefined) Object.assign(init, { body, duplex: 'half' });
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#url), init);
    } catch (cause) {
      throw new QuanrenError(
        'unavailable',
        `The platform at ${this.#url} does not answer ${method} ${path} (${reasonOf(cause)}).${
          DISTRUST.test(reasonOf(cause)) ? TRUST_ADVICE : ''
        }`,
        { cause },
      );
    }
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    const answer: unknown = isJson && text !== '' ? JSON.parse(text) : text;
    if (!response.ok) throw toError(response.status, answer);
    return answer;
  }

  /** Asks for `path` until `isDone` says so of the answer; every answer is shown to `onAnswer`. */
  async follow<T>(path: string, isDone: (answer: T) => boolean, onAnswer: (answer: T) => void): Promise<T> {
    for (;;) {
      const answer = (await this.request(path)) as T;
      onAnswer(answer);
      if (isDone(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_INTERVAL_MS));
    }
  }
}
