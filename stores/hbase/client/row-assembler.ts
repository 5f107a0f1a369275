/** Puts the rows of a scan together where they came in parts, over as many responses as they took. */
import type { ByteString } from '../wire/byte-string.js';
import type { Cell, Row } from '../wire/cell-block.js';
import type { ScanResponse } from '../wire/messages/scan-response.js';

export class RowAssembler {
  #key: ByteString | undefined;
  #cells: Cell[] = [];

  /** The rows that are complete with this response. `isLast`: no more comes. */
  add(response: Pick<ScanResponse, 'results'>, isLast: boolean): Row[] {
    const complete: Row[] = [];
    for (const { key, cells, isPartial } of response.results) {
      if (this.#key !== undefined && this.#key !== key) complete.push(this.#take());
      if (this.#key === undefined && !isPartial) {
        complete.push({ key, cells });
        continue;
      }
      this.#key = key;
      this.#cells.push(...cells);
      if (!isPartial) complete.push(this.#take());
    }
    if (isLast && this.#key !== undefined) complete.push(this.#take());
    return complete;
  }

  #take(): Row {
    const row = { key: this.#key ?? ('' as ByteString), cells: this.#cells };
    this.#key = undefined;
    this.#cells = [];
    return row;
  }
}
