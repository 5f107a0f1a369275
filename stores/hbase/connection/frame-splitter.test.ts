import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FrameSplitter } from './frame-splitter.js';

function withLength(frame: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

test('frames come out as they went in, however the bytes were cut', () => {
  const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 });
  fc.assert(
    fc.property(frames, fc.array(fc.integer({ min: 1, max: 60 })), (sent, cuts) => {
      const bytes = Buffer.concat(sent.map(withLength));
      const splitter = new FrameSplitter(40);
      const received: Buffer[] = [];
      let start = 0;
      for (const cut of [...cuts, bytes.length]) {
        received.push(...splitter.push(bytes.subarray(start, start + cut)));
        start = Math.min(bytes.length, start + cut);
      }
      assert.deepEqual(
        received.map(String),
        sent.map((frame) => String(Buffer.from(frame))),
      );
    }),
  );
});

test('a frame that is too long is refused before it arrives', () => {
  assert.throws(() => new FrameSplitter(10).push(Buffer.from([0, 0, 0, 11])), { name: 'WireError' });
});
