/** What both stores do with their table: rows read by uid, changes written in bounded chunks, and an end. */
import { QuanrenError } from '../../errors/quanren-error.js';
import type { ReadOptions } from '../membership-store.js';
import { DEFAULT_BUCKETS } from '../row-key.js';
import { HBaseAdmin } from './admin/hbase-admin.js';
import { finalError } from './client/failures.js';
import type { ConditionalMutation, HBaseClient, OperationOptions } from './client/hbase-client.js';
import { rowOfUid, splitKeys } from './tables.js';
import type { ByteString } from './wire/byte-string.js';
import type { RowReader } from './wire/cell-block.js';
import type { Mutation } from './wire/messages/mutation.js';
import type { TableSchema } from './wire/messages/table-schema.js';

export interface HBaseTableOptions {
  readonly client: HBaseClient;
  /** Salt buckets; those that the table was made with. */
  readonly buckets?: number;
  /** How long a read takes at most that is given no deadline. */
  readonly readTimeoutMs?: number;
  /** How long a write may go without being acknowledged. */
  readonly writeTimeoutMs?: number;
}

export interface Preparable {
  /**
   * Makes the table where it is missing; harmless when repeated. What writes or scans does so first. A read does not: it
   * rejects with `set_up` while there is no table.
   */
  prepare(): Promise<void>;
}

const READ_TIMEOUT_MS = 5_000;
const WRITE_TIMEOUT_MS = 60_000;
/** Rows that one call of `apply` has under way at once: it leaves room for others. */
const WRITE_CHUNK = 4_096;

export class HBaseTable implements Preparable {
  readonly client: HBaseClient;
  readonly schema: TableSchema;
  readonly buckets: number;
  readonly #readTimeoutMs: number;
  readonly #writeTimeoutMs: number;
  #prepared: Promise<void> | undefined;
  #isClosed = false;

  constructor(schema: TableSchema, options: HBaseTableOptions) {
    this.schema = schema;
    this.client = options.client;
    this.buckets = options.buckets ?? DEFAULT_BUCKETS;
    this.#readTimeoutMs = options.readTimeoutMs ?? READ_TIMEOUT_MS;
    this.#writeTimeoutMs = options.writeTimeoutMs ?? WRITE_TIMEOUT_MS;
  }

  prepare(): Promise<void> {
    this.#prepared ??= this.#create().catch((error: unknown) => {
      this.#prepared = undefined;
      throw finalError(error);
    });
    return this.#prepared;
  }

  row(uid: string): ByteString {
    return rowOfUid(uid, this.buckets);
  }

  /** What `read` makes of each uid's row, in their order; a uid that comes twice is read once. */
  read<T extends object>(
    uids: readonly string[],
    read: RowReader<T>,
    options: ReadOptions = {},
  ): Promise<readonly T[]> {
    const { table } = this.schema;
    return this.#readDistinct(uids, (rows) =>
      this.client.readRows(table, rows, read, this.#readOptions(options)),
    );
  }

  /** As `read`; a row that could not be read has the reason in its place. */
  readApart<T extends object>(
    uids: readonly string[],
    read: RowReader<T>,
    options: ReadOptions = {},
  ): Promise<readonly (T | QuanrenError)[]> {
    const { table } = this.schema;
    return this.#readDistinct(uids, (rows) =>
      this.client.readRowsApart(table, rows, read, this.#readOptions(options)),
    );
  }

  /** Resolves when all are durable. */
  async write(mutations: readonly Mutation[]): Promise<void> {
    this.requireOpen();
    await this.prepare();
    for (let start = 0; start < mutations.length; start += WRITE_CHUNK) {
      await this.client.mutate(this.schema.table, mutations.slice(start, start + WRITE_CHUNK), {
        timeoutMs: this.#writeTimeoutMs,
      });
    }
  }

  /** Whether each was done. */
  async writeIf(mutations: readonly ConditionalMutation[]): Promise<boolean[]> {
    this.requireOpen();
    await this.prepare();
    const done: boolean[] = [];
    for (let start = 0; start < mutations.length; start += WRITE_CHUNK) {
      const chunk = mutations.slice(start, start + WRITE_CHUNK);
      const options = { timeoutMs: this.#writeTimeoutMs };
      done.push(...(await this.client.mutateIf(this.schema.table, chunk, options)));
    }
    return done;
  }

  async clear(): Promise<void> {
    this.requireOpen();
    await this.prepare();
    await new HBaseAdmin(this.client).truncateTable(this.schema.table);
  }

  close(): void {
    this.#isClosed = true;
  }

  requireOpen(): void {
    if (this.#isClosed) throw new QuanrenError('unavailable', 'The store is closed.');
  }

  async #readDistinct<Outcome>(
    uids: readonly string[],
    read: (rows: readonly ByteString[]) => Promise<readonly Outcome[]>,
  ): Promise<readonly Outcome[]> {
    this.requireOpen();
    const distinct = new Set(uids);
    const found = await read(Array.from(distinct, (uid) => this.row(uid)));
    if (distinct.size === uids.length) return found;
    const outcomes = new Map<string, Outcome>();
    let i = 0;
    for (const uid of distinct) outcomes.set(uid, found[i++] as Outcome);
    return uids.map((uid) => outcomes.get(uid) as Outcome);
  }

  #readOptions({ deadlineMs }: ReadOptions): OperationOptions {
    return { timeoutMs: deadlineMs ?? this.#readTimeoutMs, failsFast: true };
  }

  async #create(): Promise<void> {
    const admin = new HBaseAdmin(this.client, this.#writeTimeoutMs);
    if ((await admin.tableState(this.schema.table)) !== undefined) return;
    await admin.createTable(this.schema, splitKeys(this.buckets));
  }
}
