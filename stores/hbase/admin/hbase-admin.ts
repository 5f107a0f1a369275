/** What is done to tables as a whole. The master does it, by procedures that are waited for. */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { finalError, remedyOf, waitMs } from '../client/failures.js';
import type { HBaseClient } from '../client/hbase-client.js';
import { RemoteException } from '../connection/remote-exception.js';
import { encodedRegionName, type Region } from '../locate/region.js';
import type { ByteString } from '../wire/byte-string.js';
import { readProcedureResult, writeGetProcedureResult } from '../wire/messages/procedure-result.js';
import {
  readStoreFiles,
  writeFlushRegion,
  writeGetStoreFiles,
  writeMajorCompactRegion,
} from '../wire/messages/region-maintenance.js';
import { writeMergeRegions, writeMoveRegion, writeSplitRegion } from '../wire/messages/region-procedures.js';
import type { ServerName } from '../wire/messages/server-name.js';
import type { TableName } from '../wire/messages/table-name.js';
import {
  readProcedureId,
  writeCreateTable,
  writeTable,
  writeTableRequest,
  writeTruncateTable,
} from '../wire/messages/table-procedures.js';
import type { TableSchema } from '../wire/messages/table-schema.js';
import { readTableState, type TableState } from '../wire/messages/table-state.js';
import type { ProtoReader } from '../wire/proto-reader.js';
import type { ProtoWriter } from '../wire/proto-writer.js';

const FIRST_POLL_MS = 5;
const LONGEST_POLL_MS = 200;
const DEFAULT_TIMEOUT_MS = 60_000;

export class HBaseAdmin {
  readonly #client: HBaseClient;
  readonly #timeoutMs: number;

  /** `timeoutMs`: what each of the methods takes at most. */
  constructor(client: HBaseClient, timeoutMs: number = DEFAULT_TIMEOUT_MS) {
    this.#client = client;
    this.#timeoutMs = timeoutMs;
  }

  /** undefined: there is no such table. */
  async tableState(table: TableName): Promise<TableState | undefined> {
    try {
      return await this.#askMaster('GetTableState', (writer) => writeTable(writer, table), readTableState);
    } catch (error) {
      if (isRemote(error, 'TableNotFoundException')) return undefined;
      throw error;
    }
  }

  /** Makes a table that is not there. One region begins at each of `splitKeys`, one before them. */
  async createTable(schema: TableSchema, splitKeys: readonly ByteString[]): Promise<void> {
    try {
      await this.#procedure('CreateTable', (writer, nonce) =>
        writeCreateTable(writer, schema, splitKeys, nonce),
      );
    } catch (error) {
      if (!isRemote(error, 'TableExistsException')) throw error;
    }
    this.#client.locator.forgetTable(schema.table);
  }

  /** Removes all rows, and what was deleted too. The table is away while it is done. */
  async truncateTable(table: TableName): Promise<void> {
    if ((await this.tableState(table)) === 'enabled') await this.#tableProcedure('DisableTable', table);
    await this.#procedure('truncateTable', (writer, nonce) => writeTruncateTable(writer, table, nonce));
    this.#client.locator.forgetTable(table);
  }

  async dropTable(table: TableName): Promise<void> {
    if ((await this.tableState(table)) === 'enabled') await this.#tableProcedure('DisableTable', table);
    await this.#tableProcedure('DeleteTable', table);
    this.#client.locator.forgetTable(table);
  }

  /** Those that are open, in the order of their rows. */
  regions(table: TableName): Promise<readonly Region[]> {
    return this.#client.locator.refresh(table);
  }

  /** Writes what is in memory to files. */
  async flush(table: TableName): Promise<void> {
    for (const region of await this.regions(table)) {
      await this.#askServer(region, 'FlushRegion', writeFlushRegion, skipAll);
    }
  }

  /** Writes the files of each region anew, as one; resolves when none of those before is read any more. */
  async majorCompact(table: TableName): Promise<void> {
    for (const region of await this.regions(table)) {
      const filesOf = () => this.#askServer(region, 'GetStoreFile', writeGetStoreFiles, readStoreFiles);
      const before = new Set(await filesOf());
      if (before.size === 0) continue;
      await this.#askServer(region, 'CompactRegion', writeMajorCompactRegion, skipAll);
      await this.#poll('A compaction', async () => {
        const files = await filesOf();
        return files.some((file) => before.has(file)) ? undefined : true;
      });
    }
  }

  async splitRegion(region: Region, splitRow: ByteString): Promise<void> {
    await this.#procedure('SplitRegion', (writer, nonce) =>
      writeSplitRegion(writer, region.info, splitRow, nonce),
    );
  }

  async mergeRegions(regions: readonly Region[]): Promise<void> {
    const names = regions.map(({ name }) => encodedRegionName(name));
    await this.#procedure('MergeTableRegions', (writer, nonce) => writeMergeRegions(writer, names, nonce));
  }

  /** Closes a region, and opens it at `destination` or wherever the master wants it. */
  async moveRegion(region: Region, destination?: ServerName): Promise<void> {
    const name = encodedRegionName(region.name);
    await this.#askMaster('MoveRegion', (writer) => writeMoveRegion(writer, name, destination), skipAll);
  }

  #tableProcedure(method: string, table: TableName): Promise<void> {
    return this.#procedure(method, (writer, nonce) => writeTableRequest(writer, table, nonce));
  }

  async #procedure(method: string, write: (writer: ProtoWriter, nonce: bigint) => void): Promise<void> {
    const nonce = randomBytes(8).readBigUInt64BE() | 1n;
    const id = await this.#askMaster(method, (writer) => write(writer, nonce), readProcedureId);
    if (id === undefined) return;
    await this.#poll(`The procedure ${method}`, async () => {
      const result = await this.#askMaster(
        'getProcedureResult',
        (writer) => writeGetProcedureResult(writer, id),
        readProcedureResult,
      );
      if (result.failure !== undefined) throw finalError(new RemoteException(result.failure));
      return result.isRunning ? undefined : true;
    });
  }

  async #poll(what: string, ask: () => Promise<true | undefined>): Promise<void> {
    const untilMs = performance.now() + this.#timeoutMs;
    for (let waitedMs = FIRST_POLL_MS; ; waitedMs = Math.min(waitedMs * 1.3, LONGEST_POLL_MS)) {
      if ((await ask()) === true) return;
      if (performance.now() > untilMs) {
        throw new QuanrenError('unavailable', `${what} did not end within ${this.#timeoutMs} ms.`);
      }
      await sleep(waitedMs);
    }
  }

  #askServer<T>(
    region: Region,
    method: string,
    write: (writer: ProtoWriter, regionName: ByteString) => void,
    read: (reader: ProtoReader) => T,
  ): Promise<T> {
    const link = this.#client.links.to(region.server, 'AdminService');
    return link.call({
      method,
      write: (writer) => write(writer, region.name),
      read,
      timeoutMs: this.#timeoutMs,
    });
  }

  async #askMaster<T>(
    method: string,
    write: (writer: ProtoWriter) => void,
    read: (reader: ProtoReader) => T,
  ): Promise<T> {
    const untilMs = performance.now() + this.#timeoutMs;
    for (let attempts = 1; ; attempts += 1) {
      try {
        const master = await this.#client.registry.findMaster();
        if (master === undefined) throw new QuanrenError('unavailable', 'No HBase master is active.');
        // Some methods answer when all is done; a master that is gone is noticed without a deadline of the call.
        const timeoutMs = Math.max(1, untilMs - performance.now());
        return await this.#client.links.to(master, 'MasterService').call({ method, write, read, timeoutMs });
      } catch (error) {
        const isMasterAway = error instanceof QuanrenError && error.code === 'unavailable';
        const remedy = isMasterAway ? 'back-off' : remedyOf(error);
        const delayMs = waitMs(remedy, attempts);
        if (remedy === 'give-up' || performance.now() + delayMs > untilMs) throw error;
        await sleep(delayMs);
      }
    }
  }
}

function skipAll(reader: ProtoReader): void {
  while (reader.next() !== 0) reader.skip();
}

function isRemote(error: unknown, className: string): boolean {
  return error instanceof RemoteException && error.className === className;
}
