/**
 * The process's DuckDB: one instance with a memory limit, a thread count and a spill folder of our own, and sessions on
 * it. Every statement has a deadline, after which it is interrupted. Values, file paths among them, reach a statement
 * as parameters only.
 */
import {
  type DuckDBAppender,
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBValue,
  type Json,
} from '@duckdb/node-api';
import { QuanrenError } from '../../errors/quanren-error.js';

export interface DuckOptions {
  /** Where DuckDB spills what exceeds the memory limit; on the disk that holds the warehouse. */
  readonly tempDirectory: string;
  readonly memoryLimitBytes: number;
  readonly threads: number;
}

/** By name without the `$`: `{ path }` for `$path`. */
export type DuckParameters = Readonly<Record<string, DuckDBValue>>;

/** Integers up to 32 bits are numbers, wider ones and decimals text, dates `1998-06-30`. */
export type DuckRow = Record<string, Json>;

/** Long enough for any statement over some tens of millions of users; what takes longer has gone wrong. */
const STATEMENT_DEADLINE_MS = 10 * 60_000;

/** Statements of one session run one after the other and share temporary tables. */
export class DuckSession {
  readonly #connection: DuckDBConnection;

  constructor(connection: DuckDBConnection) {
    this.#connection = connection;
  }

  async #withDeadline<T>(deadlineMs: number, work: () => Promise<T>): Promise<T> {
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      this.#connection.interrupt();
    }, deadlineMs);
    try {
      return await work();
    } catch (cause) {
      if (!expired) throw cause;
      throw new QuanrenError('unavailable', `The warehouse gave no answer within ${deadlineMs} ms.`, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** All rows of a small result. Throws `unavailable` after the deadline. */
  rows(sql: string, parameters: DuckParameters = {}, deadlineMs = STATEMENT_DEADLINE_MS): Promise<DuckRow[]> {
    return this.#withDeadline(deadlineMs, async () => {
      const reader = await this.#connection.runAndReadAll(sql, { ...parameters });
      return reader.getRowObjectsJson();
    });
  }

  /** The rows of a result of any size, chunk by chunk (at most 2,048 rows each); the deadline is that of one chunk. */
  async *chunks(sql: string, parameters: DuckParameters = {}): AsyncGenerator<DuckDBDataChunk> {
    const result = await this.#withDeadline(STATEMENT_DEADLINE_MS, () =>
      this.#connection.stream(sql, { ...parameters }),
    );
    for (;;) {
      const chunk = await this.#withDeadline(STATEMENT_DEADLINE_MS, () => result.fetchChunk());
      if (chunk === null || chunk.rowCount === 0) return;
      yield chunk;
    }
  }

  /** A statement without a result. Throws `unavailable` after the deadline. */
  async run(sql: string, parameters: DuckParameters = {}): Promise<void> {
    await this.#withDeadline(STATEMENT_DEADLINE_MS, () => this.#connection.run(sql, { ...parameters }));
  }

  appender(table: string): Promise<DuckDBAppender> {
    return this.#connection.createAppender(table);
  }

  close(): void {
    this.#connection.closeSync();
  }
}

export class Duck {
  readonly #instance: DuckDBInstance;

  private constructor(instance: DuckDBInstance) {
    this.#instance = instance;
  }

  static async open({ tempDirectory, memoryLimitBytes, threads }: DuckOptions): Promise<Duck> {
    const instance = await DuckDBInstance.create(':memory:', {
      temp_directory: tempDirectory,
      memory_limit: `${memoryLimitBytes}B`,
      threads: String(threads),
      // The operating system caches files; a second copy would only fill the memory limit.
      enable_external_file_cache: 'false',
      // Nothing is fetched from the network: what the binary has must do.
      autoinstall_known_extensions: 'false',
    });
    return new Duck(instance);
  }

  /** Runs `work` on a session of its own; its temporary tables go with it. */
  async session<T>(work: (session: DuckSession) => Promise<T>): Promise<T> {
    const session = new DuckSession(await this.#instance.connect());
    try {
      return await work(session);
    } finally {
      session.close();
    }
  }

  close(): void {
    this.#instance.closeSync();
  }
}
