/**
 * The way to one service of one server: its connection, and a new one after it has failed.
 *
 *   idle ──call──▶ connecting ──▶ connected ──failure──▶ idle
 *                      └──failure──▶ resting ──time──▶ idle
 *
 * There is one attempt at a time, whoever waits for it. After an attempt that failed it rests, longer each time, with
 * jitter; calls that come meanwhile are refused at once. So a server that is down costs its callers nothing, and one
 * that comes back is not run over.
 */
import { ConnectionError } from './connection-error.js';
import { type Address, type ConnectionOptions, type RpcCall, RpcConnection } from './rpc-connection.js';
import type { Service } from './services.js';

const FIRST_REST_MS = 50;
const LONGEST_REST_MS = 1_000;
/** A server that could not be reached for this long is away, and not only late. */
const LASTING_MS = 300;

export class ServerLink {
  readonly #address: Address;
  readonly #service: Service;
  readonly #options: ConnectionOptions;
  #connection: RpcConnection | undefined;
  #connecting: Promise<RpcConnection> | undefined;
  #failuresInARow = 0;
  #restsUntilMs = 0;
  #awaySinceMs: number | undefined;
  #isClosed = false;

  constructor(address: Address, service: Service, options: ConnectionOptions) {
    this.#address = address;
    this.#service = service;
    this.#options = options;
  }

  /** Rejects with RemoteException, ConnectionError, or WireError. */
  async call<T>(call: RpcCall<T>): Promise<T> {
    return (this.#usable() ?? (await this.#connect())).call(call);
  }

  close(): void {
    this.#isClosed = true;
    this.#connection?.close();
  }

  #usable(): RpcConnection | undefined {
    const connection = this.#connection;
    if (connection?.hasFailed !== true) return connection;
    this.#connection = undefined;
    // What lets itself be connected to and says nothing is no server: the next attempt waits too.
    if (connection.hasHeard) {
      this.#failuresInARow = 0;
      this.#awaySinceMs = undefined;
    } else this.#rest();
    return undefined;
  }

  #connect(): Promise<RpcConnection> {
    const where = `${this.#address.host}:${this.#address.port}`;
    if (this.#isClosed) return Promise.reject(new ConnectionError('refused', 'The client is closed.'));
    if (this.#connecting === undefined && Date.now() < this.#restsUntilMs) {
      return Promise.reject(this.#refusal(`${where} could not be reached a moment ago.`));
    }
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
        throw new ConnectionError('refused', 'The client is closed.');
      }
      this.#connection = connection;
      return connection;
    } catch (error) {
      this.#rest();
      throw error instanceof ConnectionError ? this.#refusal(error.message, error.cause) : error;
    }
  }

  #refusal(message: string, cause?: unknown): ConnectionError {
    const awayMs = this.#awaySinceMs === undefined ? 0 : Date.now() - this.#awaySinceMs;
    return new ConnectionError('refused', message, cause, awayMs >= LASTING_MS);
  }

  #rest(): void {
    this.#awaySinceMs ??= Date.now();
    const restMs = Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** Math.min(this.#failuresInARow, 10));
    this.#failuresInARow += 1;
    this.#restsUntilMs = Date.now() + restMs * (0.5 + Math.random() / 2);
  }
}
