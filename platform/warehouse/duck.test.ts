import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Duck } from './duck.js';

/** Takes minutes, if nobody ends it. */
const ENDLESS = 'SELECT count(*) AS n FROM range(1000000) a(i), range(1000000) b(j) WHERE hash(i, j) % 7 = 0';

let folder: string;
let duck: Duck;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'quanren-duck-'));
  duck = await Duck.open({ tempDirectory: folder, memoryLimitBytes: 2e8, threads: 1 });
});
after(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a statement is interrupted at its deadline, and the session goes on', () =>
  duck.session(async (session) => {
    await assert.rejects(session.rows(ENDLESS, {}, 50), { code: 'unavailable' });
    assert.deepEqual(await session.rows('SELECT 1 AS one'), [{ one: 1 }]);
  }));

test('wide integers and decimals come as text, with every digit', () =>
  duck.session(async (session) => {
    const [row] = await session.rows('SELECT 9007199254740993::BIGINT AS n, 0.10::DECIMAL(10,2) AS d');
    assert.deepEqual(row, { n: '9007199254740993', d: '0.10' });
  }));

test('a result larger than the memory limit is streamed', () =>
  duck.session(async (session) => {
    let rows = 0;
    for await (const chunk of session.chunks("SELECT i, repeat('x', 200) AS text FROM range(2000000) r(i)"))
      rows += chunk.rowCount;
    assert.equal(rows, 2_000_000);
  }));
