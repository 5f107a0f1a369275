/**
 * Reads protobuf messages. Everything is checked against the end of the message that is being read; what does not fit
 * is a WireError. Unknown fields are skipped, as protobuf has it.
 * https://protobuf.dev/programming-guides/encoding/
 */
import type { ByteString } from './byte-string.js';
import { FIXED32, FIXED64, LENGTH_DELIMITED, VARINT } from './proto-writer.js';
import { WireError } from './wire-error.js';

export class ProtoReader {
  readonly #buffer: Buffer;
  #position: number;
  #end: number;
  #wireType = VARINT;

  /** Reads `buffer` from `start` up to `end`. */
  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    this.#buffer = buffer;
    this.#position = start;
    this.#end = end;
  }

  /** Where the next byte is read from, within the buffer. */
  get position(): number {
    return this.#position;
  }

  /** The number of the next field, or 0 when the message is at its end. Its value must be read or skipped next. */
  next(): number {
    if (this.#position >= this.#end) return 0;
    const tag = this.#varint();
    const field = Math.floor(tag / 8);
    if (field === 0 || tag > 0xffff_ffff) throw new WireError(`There is no field with the tag ${tag}.`);
    this.#wireType = tag % 8;
    return field;
  }

  /** A varint of at most 2^53 - 1. */
  uint(): number {
    this.#expect(VARINT);
    return this.#varint();
  }

  /** A varint of the full range. */
  uint64(): bigint {
    this.#expect(VARINT);
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) {
        if (value >= 1n << 64n) break;
        return value;
      }
    }
    throw new WireError('A varint is longer than 64 bits.');
  }

  bool(): boolean {
    return this.uint64() !== 0n;
  }

  bytes(): ByteString {
    const start = this.#delimited();
    return this.#buffer.latin1Slice(start, this.#position) as ByteString;
  }

  text(): string {
    const start = this.#delimited();
    return this.#buffer.utf8Slice(start, this.#position);
  }

  /** The values of a repeated varint field, packed or not, at the end of `values`. */
  uints(values: number[]): void {
    if (this.#wireType === VARINT) {
      values.push(this.#varint());
      return;
    }
    const start = this.#delimited();
    const end = this.#position;
    this.#position = start;
    while (this.#position < end) values.push(this.#varint());
    if (this.#position !== end) throw new WireError('A packed field ends within a varint.');
  }

  /** The message that is the value of this field. `read` reads it up to its end. */
  message<T>(read: (reader: ProtoReader) => T): T {
    this.#expect(LENGTH_DELIMITED);
    return this.delimited(read);
  }

  /** A message with its length before it, outside any field. */
  delimited<T>(read: (reader: ProtoReader) => T): T {
    const outer = this.#end;
    const end = this.#length() + this.#position;
    this.#end = end;
    const value = read(this);
    if (this.#position !== end) throw new WireError('A message was not read up to its end.');
    this.#end = outer;
    return value;
  }

  skip(): void {
    if (this.#wireType === VARINT) {
      for (let i = 0; this.#byte() >= 128; i += 1) {
        if (i === 9) throw new WireError('A varint is longer than 64 bits.');
      }
    } else if (this.#wireType === LENGTH_DELIMITED) this.#forward(this.#varint());
    else if (this.#wireType === FIXED64) this.#forward(8);
    else if (this.#wireType === FIXED32) this.#forward(4);
    else throw new WireError(`The wire type ${this.#wireType} is not one that HBase uses.`);
  }

  #expect(wireType: number): void {
    if (this.#wireType === wireType) return;
    throw new WireError(`A field has the wire type ${this.#wireType} and not ${wireType}.`);
  }

  /** Moves beyond the bytes of this field; returns where they start. */
  #delimited(): number {
    this.#expect(LENGTH_DELIMITED);
    const length = this.#length();
    this.#position += length;
    return this.#position - length;
  }

  #length(): number {
    const length = this.#varint();
    if (length > this.#end - this.#position) {
      throw new WireError(`A field of ${length} bytes is longer than its message.`);
    }
    return length;
  }

  #forward(bytes: number): void {
    if (bytes > this.#end - this.#position) throw new WireError('A field is longer than its message.');
    this.#position += bytes;
  }

  #byte(): number {
    if (this.#position >= this.#end) throw new WireError('A message ends within a varint.');
    return this.#buffer[this.#position++] ?? 0;
  }

  #varint(): number {
    let value = this.#byte();
    if (value < 128) return value;
    value -= 128;
    let factor = 128;
    for (let i = 1; i < 8; i += 1, factor *= 128) {
      const byte = this.#byte();
      if (byte < 128) {
        value += byte * factor;
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      value += (byte - 128) * factor;
    }
    throw new WireError('A number is greater than 2^53 - 1.');
  }
}
