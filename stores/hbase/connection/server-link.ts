/**
 * The way to one service of one server: its connection, a new one after it has failed, and the breaker of that server.
 *
 *   idle ──call──▶ connecting ──▶ connected ──failure──▶ idle
 *                      └──failure──▶ resting ──time──▶ idle
 *
 * A connection that fails is made anew at once and until it is, as long as anybody asks for the server: who asks learns
 * without waiting that it is away. There is one attempt at a time, whoever waits for it. After an attempt that failed it rests, longer each time, with
 * jitter; calls that come meanwhile are refused at once. Once the server has been away for `LASTING_MS`, calls are
 * refused at once also while an attempt is under way. So a server that is down costs its callers nothing, and one that
 * comes back is not run over.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Address } from '../../../config/addresses.js';
import { backOffMs } from '../../../errors/back-off.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { reasonOf } from '../../../errors/reason-of.js';
import { ConnectionError } from './connection-error.js';
import { RemoteException } from './remote-exception.js';
import { type ConnectionOptions, type RpcCall, RpcConnection } from './rpc-connection.js';
import type { Service } from './services.js';

const REST = { firstMs: 50, longestMs: 1_000 };
/** What could not be reached for this long is away, and not only late. */
export const LASTING_MS = 300;
/** A server that nobody has asked for since so long is no more looked for; the next who asks waits for an attempt. */
const FORGOTTEN_MS = 60_000;

export class ServerLink {
  readonly #address: Address;
  readonly #service: Service;
  readonly #options: ConnectionOptions;
  #connection: RpcConnection | undefined;
  #connecting: Promise<RpcConnection> | undefined;
  #failuresInARow = 0;
  #restsUntilMs = 0;
  #awaySinceMs: number | undefined;
  #askedAtMs = performance.now();
  #lastFailure: unknown;
  #isClosed = false;

  constructor(address: Address, service: Service, options: ConnectionOptions) {
    this.#address = address;
    this.#service = service;
    this.#options = options;
  }

  /** Rejects with RemoteException, ConnectionError, WireError, or `unavailable` when it was closed. */
  async call<T>(call: RpcCall<T>): Promise<T> {
    this.#askedAtMs = performance.now();
    return (this.#usable() ?? (await this.#connect())).call(call);
  }

  /** The breaker is open: calls are refused at once. */
  get isAway(): boolean {
    return (
      this.#isAwayForLong() || (this.#connecting === undefined && performance.now() < this.#restsUntilMs)
    );
  }

  /** Whether nobody has asked for it since `timeMs`. */
  isIdleSince(timeMs: number): boolean {
    return this.#askedAtMs < timeMs;
  }

  /** Until it is asked again. */
  disconnect(): void {
    this.#askedAtMs = Number.NEGATIVE_INFINITY;
    this.#connection?.close();
  }

  close(): void {
    this.#isClosed = true;
    this.disconnect();
  }

  #usable(): RpcConnection | undefined {
    if (this.#connection?.hasFailed === true) {
      // Silence was found out in its own time: whoever asks now need not wait once more.
      this.#awaySinceMs ??= this.#connection.silentSinceMs ?? performance.now();
      this.#connection = undefined;
    }
    return this.#connection;
  }

  #connect(): Promise<RpcConnection> {
    if (this.#isClosed) return Promise.reject(closedError());
    const isResting = this.#connecting === undefined && performance.now() < this.#restsUntilMs;
    const attempt = isResting ? undefined : this.#attemptAlone();
    if (attempt !== undefined && !this.#isAwayForLong()) return attempt;
    attempt?.catch(() => undefined);
    const { host, port } = this.#address;
    const why = this.#lastFailure === undefined ? 'its connection was lost' : reasonOf(this.#lastFailure);
    return Promise.reject(this.#refusal(`${host}:${port} cannot be reached (${why}).`, this.#lastFailure));
  }

  async #recover(): Promise<void> {
    while (this.#usable() === undefined && !this.#isClosed) {
      if (performance.now() - this.#askedAtMs > FORGOTTEN_MS) {
        this.#awaySinceMs = undefined;
        return;
      }
      const connection = await this.#attemptAlone().catch(() => undefined);
      if (connection === undefined)
        await sleep(this.#restsUntilMs - performance.now(), undefined, { ref: false });
    }
  }

  #attemptAlone(): Promise<RpcConnection> {
    this.#connecting ??= this.#attempt().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #attempt(): Promise<RpcConnection> {
    try {
      const connection = await RpcConnection.open(this.#address, this.#service, this.#options);
      if (this.#isClosed) {
        connection.close();
        throw closedError();
      }
      this.#failuresInARow = 0;
      this.#awaySinceMs = undefined;
      this.#connection = connection;
      void connection.ended.then(() => this.#recover());
      return connection;
    } catch (error) {
      this.#lastFailure = error;
      this.#awaySinceMs ??= performance.now();
      this.#failuresInARow += 1;
      this.#restsUntilMs = performance.now() + backOffMs(REST, this.#failuresInARow);
      throw error instanceof ConnectionError ? this.#refusal(error.message, error.cause) : error;
    }
  }

  #isAwayForLong(): boolean {
    return this.#awaySinceMs !== undefined && performance.now() - this.#awaySinceMs >= LASTING_MS;
  }

  /** Nothing was sent. A server that does not accept who we are says so each time. */
  #refusal(message: string, cause: unknown): Error {
    if (cause instanceof RemoteException) return cause;
    return new ConnectionError('refused', message, cause, this.#isAwayForLong());
  }
}

function closedError(): QuanrenError {
  return new QuanrenError('unavailable', 'The HBase client is closed.');
}
