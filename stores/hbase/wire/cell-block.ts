/**
 * A cell block, as `org.apache.hadoop.hbase.codec.KeyValueCodec` has it: cells one after the other, without tags.
 *
 *   cell     = length:int32 key_value[length]
 *   keyvalue = key_length:int32 value_length:int32 key[key_length] value[value_length]
 *   key      = row_length:int16 row family_length:int8 family qualifier timestamp:int64 type:int8
 *
 * Big end first. The qualifier is as long as the key has room. Source: `org.apache.hadoop.hbase.KeyValue`.
 */
import type { ByteString } from './byte-string.js';
import { KnownStrings } from './known-strings.js';
import { WireError } from './wire-error.js';

export const KEY_VALUE_CODEC = 'org.apache.hadoop.hbase.codec.KeyValueCodec';

export interface Cell {
  readonly family: ByteString;
  readonly qualifier: ByteString;
  /** Epoch milliseconds. Beyond 2^53 the nearest number. */
  readonly timestampMs: number;
  readonly value: ByteString;
}

/** One row of a table, as far as it was asked for: its cells by family, then qualifier, newest first. */
export interface Row {
  readonly key: ByteString;
  readonly cells: readonly Cell[];
}

const INT32_BYTES = 4;
/** key_length and value_length */
const LENGTHS_BYTES = 8;
/** timestamp and type */
const KEY_END_BYTES = 9;
/** A key with an empty row, family and qualifier. */
const MIN_KEY_BYTES = 2 + 1 + KEY_END_BYTES;

/** Families and qualifiers. */
const names = new KnownStrings();

/**
 * Makes of the cells of a row what its caller wants of them: moves over `count` of them, one after the other. For each
 * row that was read; `count` is 0 for one that is not there.
 */
export type RowReader<T extends object = object> = (cells: CellBlockReader, count: number) => T;

export const readCells: RowReader<Cell[]> = (cells, count) => cells.read(count);

/** Goes from cell to cell: the getters are of the one that `next` moved to. */
export class CellBlockReader {
  readonly #buffer: Buffer;
  #position: number;
  readonly #end: number;
  #rowEnd = 0;
  #familyEnd = 0;
  #keyEnd = 0;
  #valueStart = 0;

  constructor(buffer: Buffer, start: number, end: number) {
    this.#buffer = buffer;
    this.#position = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#end;
  }

  /** The row of the next cell. */
  peekRow(): ByteString {
    const start = this.#position + INT32_BYTES + LENGTHS_BYTES;
    if (start + 2 > this.#end) throw new WireError('A cell block ends within a cell.');
    const end = start + 2 + this.#buffer.readUInt16BE(start);
    if (end > this.#end) throw new WireError('A cell block ends within a cell.');
    return this.#buffer.latin1Slice(start + 2, end) as ByteString;
  }

  /** The next `count` cells. */
  read(count: number): Cell[] {
    const cells: Cell[] = [];
    for (let i = 0; i < count; i += 1) {
      this.next();
      const { family, qualifier, timestampMs, value } = this;
      cells.push({ family, qualifier, timestampMs, value });
    }
    return cells;
  }

  get family(): ByteString {
    return names.read(this.#buffer, this.#rowEnd + 1, this.#familyEnd);
  }

  get qualifier(): ByteString {
    return names.read(this.#buffer, this.#familyEnd, this.#keyEnd);
  }

  get timestampMs(): number {
    const [buffer, at] = [this.#buffer, this.#keyEnd];
    return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
  }

  get value(): ByteString {
    return this.#buffer.latin1Slice(this.#valueStart, this.#position) as ByteString;
  }

  next(): void {
    const buffer = this.#buffer;
    const start = this.#position + INT32_BYTES;
    if (start + LENGTHS_BYTES + MIN_KEY_BYTES > this.#end) {
      throw new WireError('A cell block ends within a cell.');
    }
    const end = start + buffer.readUInt32BE(this.#position);
    const keyLength = buffer.readUInt32BE(start);
    const valueStart = start + LENGTHS_BYTES + keyLength;
    if (end > this.#end || keyLength < MIN_KEY_BYTES || valueStart + buffer.readUInt32BE(start + 4) !== end) {
      throw new WireError('The lengths within a cell do not add up.');
    }
    const rowStart = start + LENGTHS_BYTES + 2;
    const rowEnd = rowStart + buffer.readUInt16BE(rowStart - 2);
    const keyEnd = valueStart - KEY_END_BYTES;
    if (rowEnd + 1 > keyEnd) throw new WireError('The row of a cell is longer than its key.');
    const familyEnd = rowEnd + 1 + (buffer[rowEnd] ?? 0);
    if (familyEnd > keyEnd) throw new WireError('The family of a cell is longer than its key.');
    this.#position = end;
    this.#rowEnd = rowEnd;
    this.#familyEnd = familyEnd;
    this.#keyEnd = keyEnd;
    this.#valueStart = valueStart;
  }
}
