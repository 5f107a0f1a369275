/**
 * Synthetic users, for benches and demonstrations of size: every column filled, cities skewed, some NULLs. A value is a
 * hash of (seed, user, column), so the same count, seed and dt give the same rows on the same DuckDB version. They are
 * labelled: uids start with `syn_`, and the file is named `profiles.synthetic.parquet`.
 */
import { listValue } from '@duckdb/node-api';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { DuckSession } from './duck.js';
import { publishFile } from './files.js';
import { centsToDecimal, selectProfileColumns } from './user-profiles.js';

export interface SyntheticUsers {
  /** 1 to 100,000,000. */
  readonly count: number;
  /** 0 to 2^53 − 1. */
  readonly seed: number;
  readonly dt: string;
}

const MAX_COUNT = 100_000_000;

/** Per cent of the users who have a city. */
const CITY_SHARES: Readonly<Record<string, number>> = {
  上海: 18,
  北京: 16,
  深圳: 11,
  广州: 10,
  杭州: 8,
  成都: 7,
  重庆: 6,
  武汉: 5,
  南京: 4,
  苏州: 4,
  西安: 3,
  长沙: 2,
  青岛: 2,
  厦门: 2,
  昆明: 1,
  拉萨: 1,
};
const CITIES = Object.entries(CITY_SHARES).flatMap(([city, share]) => Array<string>(share).fill(city));

/** A whole number from 0 to `below` − 1, another one for every user and column. */
const draw = (column: string, below: number): string =>
  `(hash($seed::BIGINT, i, '${column}') % ${below})::BIGINT`;

/** Most users draw low numbers: the product of two draws. */
const skewed = (column: string, below: number): string =>
  `(${draw(column, below)} * ${draw(`${column}_2`, below)} // ${below})`;

const SYNTHETIC = `
WITH drawn AS (
  SELECT i,
    ${skewed('purchases', 60)} + 1 AS purchases,
    ${skewed('last', 540)} AS days_since,
    ${draw('span', 540)} AS span,
    ${draw('cents', 20_000)} + 500 AS average_cents,
    ${draw('cds', 4)} + 1 AS cds_each
  FROM range($count::BIGINT) AS users(i)
), users AS (
  SELECT *,
    CASE WHEN days_since < 30 THEN least(purchases, 1 + ${skewed('p30', 8)}) ELSE 0 END AS purchases_30d,
    purchases * average_cents + CASE WHEN purchases > 1 THEN ${draw('odd', 100)} ELSE 0 END AS cents
  FROM drawn
), recent AS (
  SELECT *,
    CASE WHEN days_since < 90 THEN least(purchases, greatest(purchases_30d, 1) + ${skewed('p90', 8)}) ELSE 0 END
      AS purchases_90d
  FROM users
)
SELECT ${selectProfileColumns({
  uid: "'syn_' || lpad(i::VARCHAR, 8, '0')",
  gender: `CASE ${draw('gender', 20)} WHEN 0 THEN NULL ELSE CASE WHEN ${draw('gender', 20)} < 11 THEN 'F' ELSE 'M' END END`,
  age: `CASE WHEN ${draw('age_known', 10)} = 0 THEN NULL ELSE 16 + ${draw('age', 35)} + ${skewed('age_old', 30)} END`,
  city: `CASE WHEN ${draw('city_known', 25)} = 0 THEN NULL ELSE ($cities)[1 + ${draw('city', CITIES.length)}] END`,
  last_login_dt: `CASE WHEN ${draw('login_known', 8)} = 0 THEN NULL ELSE
    CAST($dt::DATE - least(days_since, ${skewed('login', 400)})::INTEGER AS VARCHAR) END`,
  first_purchase_date: '$dt::DATE - (days_since + CASE WHEN purchases > 1 THEN span ELSE 0 END)::INTEGER',
  last_purchase_date: '$dt::DATE - days_since::INTEGER',
  purchase_count: 'purchases',
  purchase_count_30d: 'purchases_30d',
  purchase_count_90d: 'purchases_90d',
  cd_count: 'purchases * cds_each',
  cd_count_30d: 'purchases_30d * cds_each',
  cd_count_90d: 'purchases_90d * cds_each',
  total_spent: centsToDecimal('cents'),
  total_spent_30d: centsToDecimal('purchases_30d * average_cents'),
  avg_order_value: centsToDecimal('(2 * cents + purchases) // (2 * purchases)'),
  days_since_last_purchase: 'days_since',
  is_premium_user: 'cents >= 50000',
})}
FROM recent`;

/** Writes the users to `file`, through `temporary` on the same file system. Throws `bad_request` for other numbers. */
export async function generateUsers(
  session: DuckSession,
  { count, seed, dt }: SyntheticUsers,
  temporary: string,
  file: string,
): Promise<void> {
  if (!Number.isSafeInteger(count) || count < 1 || count > MAX_COUNT)
    throw new QuanrenError(
      'bad_request',
      `The number of users must be from 1 to ${MAX_COUNT}, not ${count}.`,
    );
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new QuanrenError('bad_request', `The seed must be a whole number from 0 to 2^53 − 1, not ${seed}.`);
  await session.run(`COPY (${SYNTHETIC}) TO $temporary (FORMAT parquet, COMPRESSION zstd)`, {
    count: BigInt(count),
    seed: BigInt(seed),
    dt,
    cities: listValue(CITIES),
    temporary,
  });
  await publishFile(temporary, file);
}
