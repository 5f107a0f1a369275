/**
 * Writes protobuf messages, field after field, into one growing buffer.
 * https://protobuf.dev/programming-guides/encoding/
 */
import type { ByteString } from './byte-string.js';

export const VARINT = 0;
export const FIXED64 = 1;
export const LENGTH_DELIMITED = 2;
export const FIXED32 = 5;

/** Fewer bytes are written faster one by one than by a call into Node. */
const SHORT_BYTES = 32;

/** Bytes of a varint that holds `value`, 0 ≤ value ≤ 2^53 - 1. */
function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

export class ProtoWriter {
  #buffer: Buffer;
  #length = 0;

  constructor(sizeBytes = 256) {
    this.#buffer = Buffer.allocUnsafe(Math.max(16, sizeBytes));
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; it is overwritten by what is written after `reset`. */
  finish(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** From the beginning, into the same memory. */
  reset(): void {
    this.#length = 0;
  }

  /** A varint field; 0 ≤ value ≤ 2^53 - 1. */
  uint(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.varint(value);
  }

  /** A varint field of the full range, 0 ≤ value < 2^64. */
  uint64(field: number, value: bigint): void {
    this.#tag(field, VARINT);
    this.#reserve(10);
    let rest = value;
    for (; rest >= 128n; rest >>= 7n) this.#buffer[this.#length++] = Number(rest & 127n) | 128;
    this.#buffer[this.#length++] = Number(rest);
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  bytes(field: number, value: ByteString): void {
    this.#tag(field, LENGTH_DELIMITED);
    this.varint(value.length);
    this.#reserve(value.length);
    if (value.length > SHORT_BYTES) {
      this.#length += this.#buffer.latin1Write(value, this.#length, value.length);
      return;
    }
    for (let i = 0; i < value.length; i += 1) this.#buffer[this.#length++] = value.charCodeAt(i);
  }

  /** A field whose value is a message: all that `write` writes. */
  message(field: number, write: (writer: ProtoWriter) => void): void {
    this.#tag(field, LENGTH_DELIMITED);
    this.delimited(write);
  }

  /** A message with its length before it, as protobuf's `writeDelimitedTo` has it. */
  delimited(write: (writer: ProtoWriter) => void): void {
    const start = this.begin();
    write(this);
    this.end(start);
  }

  /** `message` without a closure, for the hot path: `end` closes what `begin` opened. */
  beginMessage(field: number): number {
    this.#tag(field, LENGTH_DELIMITED);
    return this.begin();
  }

  begin(): number {
    this.#reserve(1);
    this.#length += 1;
    return this.#length;
  }

  end(start: number): void {
    const size = this.#length - start;
    if (size < 128) {
      this.#buffer[start - 1] = size;
      return;
    }
    // One byte was kept for the length; a longer message moves up.
    const more = varintSize(size) - 1;
    this.#reserve(more);
    this.#buffer.copyWithin(start + more, start, this.#length);
    this.#length = start - 1;
    this.varint(size);
    this.#length += size;
  }

  /** A bare varint, 0 ≤ value ≤ 2^53 - 1. */
  varint(value: number): void {
    this.#reserve(8);
    if (value < 128) {
      this.#buffer[this.#length++] = value;
      return;
    }
    let rest = value;
    while (rest >= 128) {
      this.#buffer[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[this.#length++] = rest;
  }

  /** Four bytes, big end first, outside any message. */
  int32(value: number): void {
    this.#reserve(4);
    this.#length = this.#buffer.writeInt32BE(value, this.#length);
  }

  /** Writes over four bytes that `int32` wrote at `position`. */
  int32At(position: number, value: number): void {
    this.#buffer.writeInt32BE(value, position);
  }

  #tag(field: number, wireType: number): void {
    this.varint(field * 8 + wireType);
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}
