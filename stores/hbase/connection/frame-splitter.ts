/** Cuts what arrives into frames: four bytes of length, big end first, then as many bytes. */
import { WireError } from '../wire/wire-error.js';

const LENGTH_BYTES = 4;

export class FrameSplitter {
  readonly #maxFrameBytes: number;
  /** What has arrived of a frame that is not complete. */
  #parts: Buffer[] = [];
  #partsBytes = 0;
  /** Bytes that the frame needs, with its length; while that is not known, those of the length. */
  #needed = LENGTH_BYTES;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** The frames that are complete with `chunk`, without their length. Throws WireError for one that is too long. */
  push(chunk: Buffer): Buffer[] {
    this.#parts.push(chunk);
    this.#partsBytes += chunk.length;
    if (this.#partsBytes < this.#needed) return [];
    const buffer = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#partsBytes);
    const frames: Buffer[] = [];
    let start = 0;
    this.#needed = LENGTH_BYTES;
    while (buffer.length - start >= LENGTH_BYTES) {
      const length = buffer.readUInt32BE(start);
      if (length > this.#maxFrameBytes) {
        throw new WireError(`A frame of ${length} bytes is longer than the ${this.#maxFrameBytes} allowed.`);
      }
      this.#needed = LENGTH_BYTES + length;
      if (buffer.length - start < this.#needed) break;
      frames.push(buffer.subarray(start + LENGTH_BYTES, start + this.#needed));
      start += this.#needed;
      this.#needed = LENGTH_BYTES;
    }
    this.#parts = start === buffer.length ? [] : [buffer.subarray(start)];
    this.#partsBytes = buffer.length - start;
    return frames;
  }
}
