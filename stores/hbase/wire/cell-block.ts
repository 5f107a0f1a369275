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

export class CellBlockReader {
  readonly #buffer: Buffer;
  #position: number;
  readonly #end: number;

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
    for (let i = 0; i < count; i += 1) cells.push(this.#cell());
    return cells;
  }

  #cell(): Cell {
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
    const familyStart = rowEnd + 1;
    const familyEnd = familyStart + (buffer[rowEnd] ?? 0);
    if (familyEnd > keyEnd) throw new WireError('The family of a cell is longer than its key.');
    this.#position = end;
    return {
      family: names.read(buffer, familyStart, familyEnd),
      qualifier: names.read(buffer, familyEnd, keyEnd),
      timestampMs: buffer.readInt32BE(keyEnd) * 0x1_0000_0000 + buffer.readUInt32BE(keyEnd + 4),
      value: buffer.latin1Slice(valueStart, end) as ByteString,
    };
  }
}
