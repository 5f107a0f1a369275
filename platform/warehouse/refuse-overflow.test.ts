import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { Duck } from './duck.js';
import { refuseOverflow } from './refuse-overflow.js';

test('a count of CDs beyond its column is refused, one that just fits is not', async () => {
  const folder = mkdtempSync(`${tmpdir()}/quanren-overflow-`);
  const duck = await Duck.open({ tempDirectory: folder, memoryLimitBytes: 1e9, threads: 1 });
  try {
    await duck.session(async (session) => {
      // 2,149,633 × 999 + 280 = 2^31 − 1.
      await session.run(
        `CREATE TEMP TABLE staged AS SELECT i AS line_number, '00001' AS uid,
           CASE i WHEN 1 THEN 280 ELSE 999 END::INTEGER AS cds, 0::DECIMAL(10,2) AS amount
         FROM range(1, 2149635) lines(i)`,
      );
      await refuseOverflow(session, 'f', []);
      await session.run("INSERT INTO staged VALUES (2149635, '00001', 1, 0), (2149636, '00001', 1, 0)");
      await assert.rejects(refuseOverflow(session, 'f', []), {
        code: 'bad_request',
        message: /^Line 2149635 of f takes the cd_count of user 00001 to 2147483648, and/,
      });
    });
  } finally {
    duck.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
