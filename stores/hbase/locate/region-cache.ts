/** Which server holds which rows of a table, as far as it is known. Look-ups are a binary search over start keys. */
import type { ByteString } from '../wire/byte-string.js';
import type { TableName } from '../wire/messages/table-name.js';
import type { Region } from './region.js';

export class RegionCache {
  /** By table, in the order of their start keys; none overlap. */
  readonly #tables = new Map<TableName, readonly Region[]>();

  find(table: TableName, row: ByteString): Region | undefined {
    const regions = this.#tables.get(table);
    if (regions === undefined) return undefined;
    let low = 0;
    let high = regions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const region = regions[middle];
      if (region !== undefined && region.info.startKey <= row) low = middle + 1;
      else high = middle;
    }
    const region = regions[low - 1];
    return region !== undefined && isBefore(row, region.info.endKey) ? region : undefined;
  }

  holds(region: Region): boolean {
    return this.find(region.info.table, region.info.startKey) === region;
  }

  /** The regions of a table now, whatever was known before. A region that is the same remains the same object. */
  replace(table: TableName, regions: readonly Region[]): void {
    const before = new Map(this.#tables.get(table)?.map((region) => [region.name, region]));
    const now = regions.map((region) => {
      const known = before.get(region.name);
      return known?.serverName === region.serverName ? known : region;
    });
    now.sort((a, b) => (a.info.startKey < b.info.startKey ? -1 : 1));
    this.#tables.set(
      table,
      now.filter((region, i) => {
        const next = now[i + 1];
        // While a split or a merge is under way both sides may be listed: the newer one is asked.
        return next === undefined || isNotAfter(region.info.endKey, next.info.startKey);
      }),
    );
  }

  /** Forgets where a region is, and no other. */
  forget(region: Region): void {
    const { table } = region.info;
    const regions = this.#tables.get(table);
    if (regions === undefined || !this.holds(region)) return;
    this.#tables.set(
      table,
      regions.filter((each) => each !== region),
    );
  }

  forgetTable(table: TableName): void {
    this.#tables.delete(table);
  }
}

/** An empty end key is beyond every row. */
function isBefore(row: ByteString, endKey: ByteString): boolean {
  return endKey === '' || row < endKey;
}

function isNotAfter(endKey: ByteString, startKey: ByteString): boolean {
  return endKey !== '' && endKey <= startKey;
}
