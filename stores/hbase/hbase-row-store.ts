/** What the stores in HBase do alike: a row per user, read by uid. Each says what the cells of a row mean to it. */
import type { ReadOptions } from '../membership-store.js';
import { checkUid } from '../row-key.js';
import type { HBaseTable, Preparable } from './hbase-table.js';
import type { Cell } from './wire/cell-block.js';

export class HBaseRowStore<Row> implements Preparable {
  protected readonly table: HBaseTable;
  readonly #decode: (cells: readonly Cell[]) => Row;

  /** `decode` gets no cells where there is no row. */
  constructor(table: HBaseTable, decode: (cells: readonly Cell[]) => Row) {
    this.table = table;
    this.#decode = decode;
  }

  async get(uid: string, options?: ReadOptions): Promise<Row> {
    checkUid(uid);
    const [cells] = await this.table.read([uid], options);
    return this.#decode(cells ?? []);
  }

  async getMany(uids: readonly string[], options?: ReadOptions): Promise<Row[]> {
    for (const uid of uids) checkUid(uid);
    const rows = await this.table.read(uids, options);
    return rows.map(this.#decode);
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
