import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { findLockHolder, takeFolderLock } from './folder-lock.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quanren-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a held folder is refused with the name of its holder, a released one is not', () => {
  const lock = takeFolderLock(folder);
  assert.throws(() => takeFolderLock(folder), new RegExp(`process ${process.pid}`));
  lock.release();
  takeFolderLock(folder).release();
});

test('the holder announces where its platform listens', () => {
  const lock = takeFolderLock(folder);
  assert.equal(findLockHolder(folder)?.platformUrl, null);
  lock.announce('http://127.0.0.1:1234');
  assert.equal(findLockHolder(folder)?.platformUrl, 'http://127.0.0.1:1234');
  lock.release();
  assert.equal(findLockHolder(folder), null);
});

test('the lock of a dead process is taken over, also when its pid lives again', () => {
  for (const dead of [
    { pid: 2 ** 22 + 1, processStart: null, platformUrl: null },
    { pid: process.pid, processStart: 'another start', platformUrl: null },
  ]) {
    writeFileSync(path.join(folder, 'lock.json'), JSON.stringify(dead));
    assert.equal(findLockHolder(folder), null);
    takeFolderLock(folder).release();
  }
});
