/**
 * A client of HBase 2.4 to 2.6. It reads and writes rows in batches that it makes itself, scans ranges over regions, and
 * follows regions that split, merge and move. Every operation has a deadline; see failures.ts for what is tried again.
 */
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type Address, formatAddress } from '../../../config/addresses.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import type { StoreServer } from '../../store-server.js';
import { type Authentication, simpleAuthentication } from '../connection/authentication.js';
import { ServerLinks } from '../connection/server-links.js';
import { RegionLocator } from '../locate/region-locator.js';
import { Registry } from '../locate/registry.js';
import type { ByteString } from '../wire/byte-string.js';
import { type Cell, type Row, type RowReader, readCells } from '../wire/cell-block.js';
import type { Condition } from '../wire/messages/condition.js';
import type { Projection } from '../wire/messages/get.js';
import type { Mutation } from '../wire/messages/mutation.js';
import type { ScanRange } from '../wire/messages/scan-request.js';
import type { TableName } from '../wire/messages/table-name.js';
import { Dispatcher } from './dispatcher.js';
import type { OperationGroupOptions } from './operation.js';
import { scanTable } from './scan-table.js';

export interface HBaseClientOptions {
  /** Masters or, from HBase 2.5 on, region servers; each of them says where the rest is. */
  readonly nodes: readonly Address[];
  /** Who the server is told that we are. */
  readonly authentication?: Authentication;
  /** Set: the servers speak TLS. */
  readonly tls?: TlsOptions;
  /** Of an operation that is given none. */
  readonly timeoutMs?: number;
  /** The most that one call to a server takes; an operation may make several. */
  readonly callTimeoutMs?: number;
  /** Rows that may be unfinished at once; more are refused with `overloaded`. */
  readonly maxOperations?: number;
  /** Called for rows that are tried again, with the cause: the class of an exception, or what befell the connection. */
  readonly onRetry?: (cause: string, operations: number) => void;
}

const DEFAULTS = { timeoutMs: 10_000, callTimeoutMs: 2_000, maxOperations: 65_536 };
const CONNECTION = {
  connectTimeoutMs: 500,
  // HBase's own bound on what a client may send; an answer is bounded by `hbase.server.scanner.max.result.size`.
  maxFrameBytes: 256 * 2 ** 20,
  maxCallsInFlight: 256,
  // A server that is stopped is found out within half a second, also by a client that only now and then asks it.
  busyPingMs: 150,
  inUseMs: 10_000,
  idlePingMs: 10_000,
  pingTimeoutMs: 250,
};

export interface OperationOptions {
  readonly timeoutMs?: number;
  /** Whether to fail as soon as a server is known to be away, rather than wait for it up to the deadline. */
  readonly failsFast?: boolean;
}

export interface ConditionalMutation {
  readonly mutation: Mutation;
  readonly condition: Condition;
}

export class HBaseClient {
  readonly links: ServerLinks;
  readonly registry: Registry;
  readonly locator: RegionLocator;
  readonly callTimeoutMs: number;
  readonly #dispatcher: Dispatcher;
  readonly #timeoutMs: number;
  #isClosed = false;

  /** Connects to nothing before it is asked something. */
  constructor(options: HBaseClientOptions) {
    this.#timeoutMs = options.timeoutMs ?? DEFAULTS.timeoutMs;
    this.callTimeoutMs = options.callTimeoutMs ?? DEFAULTS.callTimeoutMs;
    this.links = new ServerLinks({
      ...CONNECTION,
      authentication: options.authentication ?? simpleAuthentication('quanren'),
      ...(options.tls === undefined ? {} : { tls: options.tls }),
    });
    this.registry = new Registry(options.nodes, this.links, this.callTimeoutMs);
    this.locator = new RegionLocator(this.registry, this.links, this.callTimeoutMs);
    this.#dispatcher = new Dispatcher({
      links: this.links,
      locator: this.locator,
      callTimeoutMs: this.callTimeoutMs,
      maxOperations: options.maxOperations ?? DEFAULTS.maxOperations,
      onRetry: options.onRetry ?? (() => undefined),
    });
  }

  /** The newest version of each cell of each row; none for a row that is not there. In the order of `rows`. */
  getRows(
    table: TableName,
    rows: readonly ByteString[],
    projection: Projection = {},
    options: OperationOptions = {},
  ): Promise<readonly (readonly Cell[])[]> {
    return this.#get(rows, projection, readCells, this.#groupOptions(table, options));
  }

  /** What `read` makes of each row, in the order of `rows`. */
  readRows<T extends object>(
    table: TableName,
    rows: readonly ByteString[],
    read: RowReader<T>,
    options: OperationOptions = {},
  ): Promise<readonly T[]> {
    return this.#get(rows, {}, read, this.#groupOptions(table, options));
  }

  /** As `readRows`; a row that could not be read has the reason in its place. Rejects only where nothing was begun. */
  readRowsApart<T extends object>(
    table: TableName,
    rows: readonly ByteString[],
    read: RowReader<T>,
    options: OperationOptions = {},
  ): Promise<readonly (T | QuanrenError)[]> {
    return this.#get(rows, {}, read, { ...this.#groupOptions(table, options), failsApart: true });
  }

  /** Resolves when all of them are durable. When it rejects, any of them may have been done. */
  async mutate(
    table: TableName,
    mutations: readonly Mutation[],
    options: OperationOptions = {},
  ): Promise<void> {
    const actions = mutations.map((mutation) => ({
      kind: 'mutate' as const,
      row: mutation.row,
      mutation,
      condition: undefined,
    }));
    await this.#dispatcher.run(actions, this.#groupOptions(table, options));
  }

  /** Whether each was done: its condition held at that moment. A repeated attempt may find that it no longer does. */
  async mutateIf(
    table: TableName,
    mutations: readonly ConditionalMutation[],
    options: OperationOptions = {},
  ): Promise<readonly boolean[]> {
    const actions = mutations.map(({ mutation, condition }) => ({
      kind: 'mutate' as const,
      row: mutation.row,
      mutation,
      condition,
    }));
    const outcomes = await this.#dispatcher.run(actions, this.#groupOptions(table, options));
    return outcomes as readonly boolean[];
  }

  /**
   * The rows of a range in order, each once, a response's worth at a time. A row is as it was when its region was
   * reached or later. `timeoutMs` is how long it may be without progress.
   */
  scan(
    table: TableName,
    range: ScanRange,
    options: OperationOptions = {},
  ): AsyncGenerator<Row[], void, undefined> {
    this.#requireOpen();
    return scanTable(this, table, range, { timeoutMs: options.timeoutMs ?? this.#timeoutMs });
  }

  /** The region servers that rows were lately asked of; before any is known, the nodes that are to name them. */
  servers(): StoreServer[] {
    const known = this.#dispatcher.servers();
    if (known.length > 0) return known;
    const { isAway, nodes } = this.registry;
    const nothing = { rowsInFlight: 0, rowLimit: 0, rowsWaiting: 0 };
    return nodes.map((node) => ({ name: formatAddress(node), ...nothing, isAway }));
  }

  /** Whoever still waits is told `unavailable`. Harmless when repeated. */
  close(): void {
    this.#isClosed = true;
    this.#dispatcher.close();
    this.links.close();
  }

  async #get<T extends object>(
    rows: readonly ByteString[],
    projection: Projection,
    read: RowReader<T>,
    group: OperationGroupOptions,
  ): Promise<readonly T[]> {
    const actions = rows.map((row) => ({ kind: 'get' as const, row, projection, read }));
    return (await this.#dispatcher.run(actions, group)) as T[];
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new QuanrenError('unavailable', 'The HBase client is closed.');
  }

  #groupOptions(table: TableName, options: OperationOptions) {
    return {
      table,
      timeoutMs: options.timeoutMs ?? this.#timeoutMs,
      failsFast: options.failsFast ?? false,
      failsApart: false,
    };
  }
}
