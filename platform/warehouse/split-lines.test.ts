import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { splitLines } from './split-lines.js';

async function* pieces(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function linesOf(parts: readonly Uint8Array[]): Promise<string[]> {
  const lines = [];
  for await (const some of splitLines(pieces(parts)))
    lines.push(...some.map((line) => line.toString('latin1')));
  return lines;
}

test('the lines do not depend on how the bytes arrive', async () => {
  const part = fc
    .array(fc.constantFrom('a', 'b', '\r', '\n'))
    .map((letters) => Buffer.from(letters.join('')));
  await fc.assert(
    fc.asyncProperty(fc.array(part), async (parts) => {
      const whole = Buffer.concat(parts).toString();
      const expected = whole.split('\n');
      if (expected.at(-1) === '') expected.pop();
      assert.deepEqual(await linesOf(parts), expected);
    }),
  );
});

test('a line that never ends is refused', async () => {
  const endless = Array<Uint8Array>(100).fill(Buffer.alloc(1024, 'x'));
  await assert.rejects(linesOf(endless), { code: 'bad_request' });
});
