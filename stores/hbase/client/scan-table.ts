/** Scans a range over the regions of a table, and goes on after the last whole row when a region fails it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { ConnectionError } from '../connection/connection-error.js';
import type { ServerLinks } from '../connection/server-links.js';
import type { Region } from '../locate/region.js';
import type { RegionLocator } from '../locate/region-locator.js';
import type { ByteString } from '../wire/byte-string.js';
import type { Row } from '../wire/cell-block.js';
import type { ScanRange } from '../wire/messages/scan-request.js';
import type { TableName } from '../wire/messages/table-name.js';
import { finalError, remedyOf, waitMs } from './failures.js';
import { scanRegion } from './scan-region.js';

const SIZE = { rows: 1_000, bytes: 1_048_576 };

interface Scanning {
  readonly links: ServerLinks;
  readonly locator: RegionLocator;
  readonly callTimeoutMs: number;
}

/** See HBaseClient.scan. */
export async function* scanTable(
  { links, locator, callTimeoutMs }: Scanning,
  table: TableName,
  range: ScanRange,
  { timeoutMs }: { readonly timeoutMs: number },
): AsyncGenerator<Row[], void, undefined> {
  let rest = range;
  let failures = 0;
  let progressAtMs = performance.now();
  for (;;) {
    let region: Region | undefined;
    try {
      region = locator.find(table, rest.startRow) ?? (await locate(locator, table, rest.startRow));
      const link = links.to(region.server, 'ClientService');
      for await (const rows of scanRegion(link, region.name, rest, SIZE, callTimeoutMs)) {
        const last = rows.at(-1);
        if (last !== undefined) rest = { ...rest, startRow: last.key, includesStartRow: false };
        failures = 0;
        yield rows;
        progressAtMs = performance.now();
      }
      const { endKey } = region.info;
      if (endKey === '' || (range.stopRow !== '' && endKey >= range.stopRow)) return;
      rest = { ...rest, startRow: endKey, includesStartRow: true };
      failures = 0;
      progressAtMs = performance.now();
    } catch (error) {
      const remedy = remedyOf(error);
      if (remedy === 'give-up') throw finalError(error);
      if (remedy === 'relocate' && region !== undefined) locator.forget(region);
      failures += 1;
      const delayMs = waitMs(remedy, failures);
      if (performance.now() + delayMs > progressAtMs + timeoutMs) {
        throw new QuanrenError('unavailable', `A scan of HBase made no progress for ${timeoutMs} ms.`, {
          cause: error,
        });
      }
      await sleep(delayMs);
    }
  }
}

async function locate(locator: RegionLocator, table: TableName, row: ByteString): Promise<Region> {
  await locator.refresh(table);
  const region = locator.find(table, row);
  if (region === undefined) throw new ConnectionError('refused', 'A region is not open anywhere.');
  return region;
}
