import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { listValue } from '@duckdb/node-api';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { DuckRow } from './duck.js';
import { PROFILE_COLUMNS } from './user-profiles.js';
import { Warehouse } from './warehouse.js';

const CDNOW = readFileSync('data/cdnow_master.txt');
const HEADER = ' customer_id  date number_of_cds  dollar_value ';

let folder: string;
let warehouse: Warehouse;

/** The folder's name is one that a careless path printer or a glob would trip over. */
before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "quanren [a]*'; "));
  warehouse = await openWarehouse('main');
});
after(() => {
  warehouse.close();
  rmSync(folder, { recursive: true, force: true });
});

function openWarehouse(name: string): Promise<Warehouse> {
  return Warehouse.open({
    root: path.join(folder, name),
    zone: 'Asia/Shanghai',
    memoryLimitBytes: 1e9,
    threads: 2,
  });
}

let fileCount = 0;

/** A file of this content, loaded. */
function load(into: Warehouse, content: Buffer | string, dt?: string) {
  fileCount += 1;
  const file = path.join(folder, `${fileCount}.txt`);
  writeFileSync(file, content);
  return into.loadPurchases(file, { fileName: 'file.txt', ...(dt === undefined ? {} : { dt }) });
}

async function read(of: Warehouse, files: readonly string[], order = 'line_number'): Promise<DuckRow[]> {
  return of.session((session) =>
    session.rows(`SELECT * FROM read_parquet($files, hive_partitioning = false) ORDER BY ${order}`, {
      files: listValue(files),
    }),
  );
}

async function readTable(of: Warehouse, table: 'ods/purchases' | 'dwd/purchases' | 'dwd/purchases_rejected') {
  return read(
    of,
    (await of.files.purchaseFiles(table)).map(({ file }) => file),
  );
}

/** The wide table by the words of its description, over all purchases at once. */
function naiveProfiles(lines: readonly string[], dt: string): DuckRow[] {
  const day = (text: string) => Date.parse(text) / 86_400_000;
  const decimal = (cents: bigint) => `${cents / 100n}.${String(cents % 100n).padStart(2, '0')}`;
  const purchases = lines.map((line) => {
    const [uid = '', ymd = '', cds, dollars = ''] = line.trim().split(/\s+/);
    const date = `${ymd.slice(0, 4)}-${ymd.slice(4, 6)}-${ymd.slice(6)}`;
    return { uid, date, cds: Number(cds), cents: BigInt(dollars.replace('.', '')) };
  });
  const byUser = new Map<string, typeof purchases>();
  for (const purchase of purchases) {
    if (purchase.date > dt) continue;
    const all = byUser.get(purchase.uid) ?? [];
    byUser.set(purchase.uid, [...all, purchase]);
  }
  return [...byUser.keys()].sort().map((uid) => {
    const all = byUser.get(uid) ?? [];
    const recent = (days: number) => all.filter(({ date }) => day(date) > day(dt) - days);
    const cds = (of: typeof all) => of.reduce((sum, purchase) => sum + purchase.cds, 0);
    const cents = (of: typeof all) => of.reduce((sum, purchase) => sum + purchase.cents, 0n);
    const dates = all.map(({ date }) => date).sort();
    const count = BigInt(all.length);
    const whole = cents(all) / count;
    const halfUp = 2n * (cents(all) % count) >= count ? whole + 1n : whole;
    return {
      uid,
      gender: null,
      age: null,
      city: null,
      last_login_dt: null,
      first_purchase_date: dates[0] ?? null,
      last_purchase_date: dates.at(-1) ?? null,
      purchase_count: all.length,
      purchase_count_30d: recent(30).length,
      purchase_count_90d: recent(90).length,
      cd_count: cds(all),
      cd_count_30d: cds(recent(30)),
      cd_count_90d: cds(recent(90)),
      total_spent: decimal(cents(all)),
      total_spent_30d: decimal(cents(recent(30))),
      avg_order_value: decimal(halfUp),
      days_since_last_purchase: day(dt) - day(dates.at(-1) ?? dt),
      is_premium_user: cents(all) >= 50_000n,
    };
  });
}

test('the published file: every layer, and every user against the naive computation', async () => {
  const report = await load(warehouse, CDNOW);
  assert.equal(report.dt, '1998-06-30');
  assert.equal(report.purchases, 69_659);
  assert.equal(report.users, 23_570);
  assert.deepEqual(new Set(Object.values(report.rejected)), new Set([0]));

  const raw = await readTable(warehouse, 'ods/purchases');
  assert.equal(`${raw.map((row) => row.line_text).join('\n')}\n`, CDNOW.toString());

  const profiles = await read(warehouse, [warehouse.files.profiles('1998-06-30', 'real')], 'uid');
  assert.deepEqual(profiles, naiveProfiles(CDNOW.toString().trim().split('\n').slice(1), '1998-06-30'));
});

test('the wide table has the columns and types it says', async () => {
  const described = await warehouse.session((session) =>
    session.rows('DESCRIBE SELECT * FROM read_parquet($file, hive_partitioning = false)', {
      file: warehouse.files.profiles('1998-06-30', 'real'),
    }),
  );
  assert.deepEqual(
    Object.fromEntries(described.map((row) => [row.column_name, row.column_type])),
    PROFILE_COLUMNS,
  );
});

test('the same content again, under another date, changes no purchase', async () => {
  const before = await readTable(warehouse, 'dwd/purchases');
  const again = await load(warehouse, CDNOW, '1997-12-31');
  assert.equal(again.alreadyLoaded, true);
  assert.equal(again.partition, '1998-06-30');
  assert.ok(again.afterDt > 0);
  assert.deepEqual(await readTable(warehouse, 'dwd/purchases'), before);
  const profiles = await read(warehouse, [warehouse.files.profiles('1997-12-31', 'real')], 'uid');
  assert.deepEqual(profiles, naiveProfiles(CDNOW.toString().trim().split('\n').slice(1), '1997-12-31'));
});

test('purchases of several files accumulate, exact repeats included', async () => {
  const many = await openWarehouse('many');
  const first = [' 00001 19970101  1   11.77', ' 00001 19970101  1   11.77'];
  const second = [' 00001 19970101  1   11.77', ' 00002 19970115 10 1000.01'];
  await load(many, [HEADER, ...first].join('\n'), '1997-01-31');
  await load(many, [HEADER, ...second].join('\r\n'), '1997-01-31');
  const profiles = await read(many, [many.files.profiles('1997-01-31', 'real')], 'uid');
  assert.deepEqual(profiles, naiveProfiles([...first, ...second], '1997-01-31'));
  many.close();
});

test('bad lines are kept aside, with the reason, and counted', async () => {
  const bad = await openWarehouse('bad');
  const notUtf8 = Buffer.from(' 00005 19970118  2   \xff9.33', 'latin1');
  const content = Buffer.concat([
    Buffer.from(`${HEADER}\r\n 00004 19970118  2   29.33\r\n\r\n 00004 19970230  2   29.33\r\n`),
    notUtf8,
    Buffer.from('\n 00006 19970119  2   29.33'),
  ]);
  const report = await load(bad, content);
  assert.equal(report.dt, '1997-01-19');
  assert.equal(report.purchases, 2);
  assert.deepEqual(report.rejected, {
    not_utf8: 1,
    width: 1,
    customer_id: 0,
    date: 1,
    number_of_cds: 0,
    dollar_value: 0,
  });
  const rejected = await readTable(bad, 'dwd/purchases_rejected');
  assert.deepEqual(
    rejected.map((row) => [row.line_number, row.reason, row.line_text]),
    [
      ['3', 'width', '\r'],
      ['4', 'date', ' 00004 19970230  2   29.33\r'],
      ['5', 'not_utf8', null],
    ],
  );
  const [bytes] = await bad.session(async (session) =>
    session.rows('SELECT hex(line_bytes) AS hex FROM read_parquet($files) WHERE line_number = 5', {
      files: listValue((await bad.files.purchaseFiles('ods/purchases')).map(({ file }) => file)),
    }),
  );
  assert.equal(bytes?.hex, notUtf8.toString('hex').toUpperCase());
  bad.close();
});

test('what is no purchases file is refused and leaves nothing', async () => {
  const empty = await openWarehouse('empty');
  await assert.rejects(load(empty, ''), { code: 'bad_request' });
  await assert.rejects(load(empty, ' 00004 19970118  2   29.33\n'), { code: 'bad_request' });
  await assert.rejects(load(empty, `${HEADER}\n`), { code: 'bad_request' });
  await assert.rejects(async () => load(empty, HEADER, '1998-02-30'), {
    code: 'bad_request',
  });
  assert.deepEqual(await empty.files.purchaseFiles('ods/purchases'), []);
  await assert.rejects(empty.readUserRow('00004'), { code: 'not_found' });

  // Not even for a date that is named: it would be the newest one, with nobody in it.
  for (const lines of ['', ' 00004 19970230  2   29.33\n not a purchase\n']) {
    const bad = lines.split('\n').length - 1;
    await assert.rejects(load(empty, `${HEADER}\n${lines}`, '1998-06-30'), {
      code: 'bad_request',
      message: `file.txt holds no purchase, and ${bad} bad lines: there is nothing to load.`,
    });
  }
  assert.deepEqual(await empty.files.purchaseFiles('dwd/purchases_rejected'), []);
  assert.equal(await empty.newestDt(), null);
  empty.close();
});

test('a file that takes a user’s totals beyond what a column holds is refused, with user and line, and leaves nothing', async () => {
  const rich = await openWarehouse('rich');
  const lines = (uid: string, count: number, rest = '  199999.99') =>
    Array<string>(count).fill(` ${uid} 19970101${rest}`);
  const file = (...all: string[][]) => [HEADER, ...all.flat()].join('\n');
  const refused = (content: string, message: RegExp) =>
    assert.rejects(load(rich, content), (error) => {
      assert.ok(error instanceof QuanrenError, String(error));
      assert.equal(error.code, 'bad_request');
      assert.match(error.message, message);
      return true;
    });
  const one = lines('00002', 1);
  await refused(
    file(one, lines('00001', 1_001), lines('00003', 1_100)),
    /^Line 1003 of file\.txt takes the total_spent of user 00001 to 100099989\.99, and/,
  );
  for (const table of ['ods/purchases', 'dwd/purchases', 'dwd/purchases_rejected'] as const)
    assert.deepEqual(await rich.files.purchaseFiles(table), [], table);
  assert.equal(await rich.newestDt(), null);

  await load(rich, file(lines('00001', 1_000)));
  assert.equal((await rich.readUserRow('00001', {}))?.columns.get('total_spent'), '99999990.00');
  await refused(
    file(one, lines('00001', 1)),
    /^Line 3 of .* user 00001 to 100099989\.99, with what was loaded before/,
  );
  await load(rich, file(one, lines('00001', 1, '  1    9.99')));
  assert.equal((await rich.readUserRow('00001', {}))?.columns.get('total_spent'), '99999999.99');

  const wide = await load(
    rich,
    file(one, lines('00005', 1, '  1100000.00'), lines('00005', 1, '  19999.999')),
  );
  assert.deepEqual([wide.purchases, wide.rejected.width, wide.rejected.dollar_value], [1, 1, 1]);
  rich.close();
});

test('synthetic users: the same for the same input, and never in place of real ones', async () => {
  const users = { count: 3_000, seed: 42, dt: '2026-01-31' };
  const file = warehouse.files.profiles(users.dt, 'synthetic');
  await warehouse.generateUsers(users);
  const first = await read(warehouse, [file], 'uid');
  await warehouse.generateUsers(users);
  assert.deepEqual(await read(warehouse, [file], 'uid'), first);
  await warehouse.generateUsers({ ...users, seed: 43 });
  assert.notDeepEqual(await read(warehouse, [file], 'uid'), first);

  assert.ok(first.every((row) => String(row.uid).startsWith('syn_')));
  for (const column of Object.keys(PROFILE_COLUMNS))
    assert.ok(new Set(first.map((row) => row[column])).size > 1, `${column} has one value only`);
  for (const column of ['gender', 'age', 'city', 'last_login_dt'])
    assert.ok(
      first.some((row) => row[column] === null),
      `${column} is never NULL`,
    );

  await assert.rejects(warehouse.generateUsers({ ...users, dt: '1998-06-30' }), { code: 'conflict' });
  await assert.rejects(load(warehouse, CDNOW, users.dt), { code: 'conflict' });
  await assert.rejects(warehouse.generateUsers({ ...users, count: 0 }), { code: 'bad_request' });
});

test('a reader sees a partition as it was or as it is, never half of each', async () => {
  const dt = '2026-02-28';
  const countRows = () =>
    warehouse.files.readProfiles(dt, ({ file }) =>
      warehouse.session(async (session) => {
        const [row] = await session.rows(
          'SELECT count(*) AS rows, count(DISTINCT total_spent) AS amounts FROM read_parquet($file)',
          { file },
        );
        return `${row?.rows} ${row?.amounts}`;
      }),
    );
  const whole = new Set<string>();
  for (const seed of [1, 2]) {
    await warehouse.generateUsers({ count: 200_000 + seed, seed, dt });
    whole.add(await countRows());
  }
  assert.equal(whole.size, 2);
  let isReplacing = true;
  const replacing = (async () => {
    for (let seed = 0; seed < 10; seed += 1)
      await warehouse.generateUsers({ count: 200_001 + (seed % 2), seed: 1 + (seed % 2), dt });
    isReplacing = false;
  })();
  const seen = new Set<string>();
  while (isReplacing) seen.add(await countRows());
  await replacing;
  for (const rows of seen) assert.ok(whole.has(rows), rows);
});

test('one user’s row, as text, from the newest partition or a given one', async () => {
  const row = await warehouse.readUserRow('00004', { dt: '1998-06-30' });
  assert.equal(row?.dt, '1998-06-30');
  assert.equal(row?.columns.get('total_spent'), '100.50');
  assert.equal(row?.columns.get('is_premium_user'), 'false');
  assert.equal(row?.columns.get('city'), null);
  assert.equal(await warehouse.readUserRow("x' OR ''='", { dt: '1998-06-30' }), null);
  assert.equal(row?.origin, 'real');
  const synthetic = await warehouse.readUserRow('syn_00000001', { dt: '2026-02-28' });
  assert.equal(synthetic?.origin, 'synthetic');
});

test('the newest partition is one of real users, of synthetic ones only where there are no others', async () => {
  assert.equal((await warehouse.files.profilePartitions()).at(-1)?.dt, '2026-02-28');
  assert.equal(await warehouse.newestDt(), '1998-06-30');
  assert.equal((await warehouse.readUserRow('00004'))?.dt, '1998-06-30');
  assert.equal(await warehouse.readUserRow('syn_00000001'), null);
  // New synthetic users without a date take the place of such ones, and of no others.
  assert.equal((await warehouse.generateUsers({ count: 5, seed: 1 })).dt, '2026-02-28');
  const unreal = await openWarehouse('unreal');
  await assert.rejects(unreal.generateUsers({ count: 5, seed: 1 }), { code: 'bad_request' });
  await unreal.generateUsers({ count: 5, seed: 1, dt: '2026-01-31' });
  assert.equal(await unreal.newestDt(), '2026-01-31');
  unreal.close();
});
