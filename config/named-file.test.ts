import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readNamedFile } from './named-file.js';

test('a file that a setting names is read as it is', () => {
  const file = import.meta.filename;
  assert.deepEqual(readNamedFile('QUANREN_A_FILE', file), readFileSync(file));
});

for (const { file, why } of [
  { file: '/no/such.pem', why: 'ENOENT' },
  { file: import.meta.dirname, why: 'EISDIR' },
]) {
  test(`${why}: told with the setting, the file and what to do`, () => {
    assert.throws(() => readNamedFile('QUANREN_A_FILE', file), {
      code: 'set_up',
      message: `QUANREN_A_FILE names ${file}, which cannot be read (${why}): name a file that is there and may be read.`,
    });
  });
}
