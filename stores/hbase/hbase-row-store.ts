/** What the stores in HBase do alike: a row per user, read by uid. Each says what the cells of a row mean to it. */
import type { ReadOptions } from '../membership-store.js';
import { checkUid } from '../row-key.js';
import type { HBaseTable, Preparable } from './hbase-table.js';
import type { RowReader } from './wire/cell-block.js';

export class HBaseRowStore<Row extends object> implements Preparable {
  protected readonly table: HBaseTable;
  readonly #read: RowReader<Row>;

  constructor(table: HBaseTable, read: RowReader<Row>) {
    this.table = table;
    this.#read = read;
  }

  async get(uid: string, options?: ReadOptions): Promise<Row> {
    checkUid(uid);
    const [row] = await this.table.read([uid], this.#read, options);
    return row as Row;
  }

  async getMany(uids: readonly string[], options?: ReadOptions): Promise<Row[]> {
    for (const uid of uids) checkUid(uid);
    return [...(await this.table.read(uids, this.#read, options))];
  }

  prepare(): Promise<void> {
    return this.table.prepare();
  }

  clear(): Promise<void> {
    return this.table.clear();
  }

  close(): Promise<void> {
    this.table.close();
    return Promise.resolve();
  }
}
