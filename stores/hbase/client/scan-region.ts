/** Reads the part of a range that lies in one region, with a scanner of the server that holds it. */
import type { ServerLink } from '../connection/server-link.js';
import type { ByteString } from '../wire/byte-string.js';
import type { Row } from '../wire/cell-block.js';
import {
  type ScanRange,
  type ScanSize,
  writeCloseScanner,
  writeNextRows,
  writeOpenScanner,
} from '../wire/messages/scan-request.js';
import { readScanResponse, type ScanResponse } from '../wire/messages/scan-response.js';
import type { ProtoWriter } from '../wire/proto-writer.js';
import { RowAssembler } from './row-assembler.js';

/**
 * Yields whole rows, as many as came with a response, in order; none twice. Rejects as `ServerLink.call` does. When it
 * is left before its end it closes the scanner.
 */
export async function* scanRegion(
  link: ServerLink,
  regionName: ByteString,
  range: ScanRange,
  size: ScanSize,
  callTimeoutMs: number,
): AsyncGenerator<Row[], void, undefined> {
  const ask = (write: (writer: ProtoWriter) => void): Promise<ScanResponse> =>
    link.call({ method: 'Scan', write, read: readScanResponse, timeoutMs: callTimeoutMs });
  const rows = new RowAssembler();
  let response = await ask((writer) => writeOpenScanner(writer, regionName, range, size));
  const { scannerId } = response;
  // The server has closed the scanner itself when nothing more comes from this region.
  let isOpen = scannerId !== undefined && response.hasMore && response.hasMoreInRegion;
  try {
    for (let sequence = 0; ; sequence += 1) {
      const complete = rows.add(response, !isOpen);
      if (complete.length > 0) yield complete;
      if (!isOpen || scannerId === undefined) return;
      response = await ask((writer) => writeNextRows(writer, scannerId, sequence, size.rows));
      isOpen = response.hasMore && response.hasMoreInRegion;
    }
  } finally {
    if (isOpen && scannerId !== undefined) {
      // The lease ends it in any case: nobody waits for the answer.
      ask((writer) => writeCloseScanner(writer, scannerId)).catch(() => undefined);
    }
  }
}
