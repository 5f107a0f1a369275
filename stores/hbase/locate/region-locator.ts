/**
 * Finds the region of a row: in the cache at once, else by reading the table's regions from `hbase:meta`. There is one
 * reading per table at a time, and one per `MIN_INTERVAL_MS` at most, whoever waits for it: a server that dies makes
 * thousands of look-ups miss together.
 *
 * A reading takes all regions of the table: the product's tables have tens of them, not thousands.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { RemoteException } from '../connection/remote-exception.js';
import type { ServerLinks } from '../connection/server-links.js';
import { type ByteString, utf8Text } from '../wire/byte-string.js';
import type { TableName } from '../wire/messages/table-name.js';
import { readRegions } from './meta-table.js';
import type { Region } from './region.js';
import { RegionCache } from './region-cache.js';
import type { Registry } from './registry.js';

const MIN_INTERVAL_MS = 50;

interface Reading {
  readonly startedAtMs: number;
  readonly done: Promise<readonly Region[]>;
  isDone: boolean;
}

export class RegionLocator {
  readonly #registry: Registry;
  readonly #links: ServerLinks;
  readonly #timeoutMs: number;
  readonly #cache = new RegionCache();
  readonly #readings = new Map<TableName, Reading>();

  constructor(registry: Registry, links: ServerLinks, timeoutMs: number) {
    this.#registry = registry;
    this.#links = links;
    this.#timeoutMs = timeoutMs;
  }

  /** From memory alone. */
  find(table: TableName, row: ByteString): Region | undefined {
    return this.#cache.find(table, row);
  }

  /** Whether this is still believed of the region. */
  holds(region: Region): boolean {
    return this.#cache.holds(region);
  }

  forget(region: Region): void {
    this.#cache.forget(region);
  }

  forgetTable(table: TableName): void {
    this.#cache.forgetTable(table);
  }

  /**
   * Reads where the regions of a table are. Those without a server just now are not among them. Rejects with
   * `set_up` when there is no such table, else as `ServerLink.call` does.
   */
  async refresh(table: TableName): Promise<readonly Region[]> {
    const last = this.#readings.get(table);
    if (last !== undefined && !last.isDone) return last.done;
    const restMs = last === undefined ? 0 : last.startedAtMs + MIN_INTERVAL_MS - performance.now();
    const reading: Reading = {
      startedAtMs: performance.now() + restMs,
      done: this.#read(table, restMs),
      isDone: false,
    };
    this.#readings.set(table, reading);
    try {
      return await reading.done;
    } finally {
      reading.isDone = true;
    }
  }

  async #read(table: TableName, restMs: number): Promise<readonly Region[]> {
    if (restMs > 0) await sleep(restMs);
    const server = await this.#registry.findMeta();
    if (server === undefined) {
      throw new RemoteException({
        className: 'org.apache.hadoop.hbase.NotAllMetaRegionsOnlineException',
        stackTrace: 'No node of the cluster knows where hbase:meta is.',
        doNotRetry: false,
      });
    }
    const link = this.#links.to(server, 'ClientService');
    const { regions, count } = await readRegions(link, table, this.#timeoutMs);
    if (count === 0)
      throw new QuanrenError(
        'set_up',
        `There is no HBase table '${utf8Text(table)}': the platform makes it when it starts with the same QUANREN_HBASE_NODES.`,
      );
    this.#cache.replace(table, regions);
    return regions;
  }
}
