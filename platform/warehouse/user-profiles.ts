/**
 * DWS `dws/user_profile_wide`: one row per user and business date, sorted by uid. The partition of dt tells what was
 * known of purchases up to and including dt, whichever load brought them. Sums are of whole cents: exact throughout.
 */

import { listValue } from '@duckdb/node-api';
import type { DuckSession } from './duck.js';
import { publishFile, type WarehouseFiles } from './files.js';

/** What tags call the wide table, as their `source_table`. */
export const PROFILE_TABLE_NAME = 'dws.user_profile_wide';

/** The columns of the wide table and their SQL types, in order. */
export const PROFILE_COLUMNS = {
  uid: 'VARCHAR',
  gender: 'VARCHAR',
  age: 'INTEGER',
  city: 'VARCHAR',
  /** `1998-06-30`, as text. */
  last_login_dt: 'VARCHAR',
  first_purchase_date: 'DATE',
  last_purchase_date: 'DATE',
  purchase_count: 'INTEGER',
  purchase_count_30d: 'INTEGER',
  purchase_count_90d: 'INTEGER',
  cd_count: 'INTEGER',
  cd_count_30d: 'INTEGER',
  cd_count_90d: 'INTEGER',
  total_spent: 'DECIMAL(10,2)',
  total_spent_30d: 'DECIMAL(10,2)',
  /** total_spent / purchase_count, half up. */
  avg_order_value: 'DECIMAL(10,2)',
  days_since_last_purchase: 'INTEGER',
  /** total_spent ≥ 500. */
  is_premium_user: 'BOOLEAN',
} as const;

type ProfileColumn = keyof typeof PROFILE_COLUMNS;

/** Hundredths as DECIMAL(10,2) without a double in between; what does not fit is an error, never another number. */
export function centsToDecimal(cents: string): string {
  return `CAST(CAST(${cents} AS DECIMAL(18,0)) * CAST(0.01 AS DECIMAL(3,2)) AS DECIMAL(10,2))`;
}

/** The SELECT of the wide table's columns from an expression for each. */
export function selectProfileColumns(expressions: Readonly<Record<ProfileColumn, string>>): string {
  return Object.entries(PROFILE_COLUMNS)
    .map(([column, type]) => `CAST(${expressions[column as ProfileColumn]} AS ${type}) AS ${column}`)
    .join(',\n  ');
}

/** From a relation `totals` with one row per user, whatever made it; `n days` means the interval (dt − n, dt]. */
const FROM_PURCHASES = `
WITH purchases AS (
  SELECT uid, purchase_date, cds, CAST(amount * CAST(100 AS DECIMAL(3,0)) AS BIGINT) AS cents,
    $dt::DATE - purchase_date AS days_ago
  FROM read_parquet($purchaseFiles, hive_partitioning = false)
  WHERE purchase_date <= $dt::DATE
), totals AS (
  SELECT uid, min(purchase_date) AS first_date, max(purchase_date) AS last_date,
    count(*) AS purchases, count(*) FILTER (days_ago < 30) AS purchases_30d,
    count(*) FILTER (days_ago < 90) AS purchases_90d,
    sum(cds) AS cds, coalesce(sum(cds) FILTER (days_ago < 30), 0) AS cds_30d,
    coalesce(sum(cds) FILTER (days_ago < 90), 0) AS cds_90d,
    sum(cents) AS cents, coalesce(sum(cents) FILTER (days_ago < 30), 0) AS cents_30d
  FROM purchases GROUP BY uid
)
SELECT ${selectProfileColumns({
  uid: 'uid',
  gender: 'NULL',
  age: 'NULL',
  city: 'NULL',
  last_login_dt: 'NULL',
  first_purchase_date: 'first_date',
  last_purchase_date: 'last_date',
  purchase_count: 'purchases',
  purchase_count_30d: 'purchases_30d',
  purchase_count_90d: 'purchases_90d',
  cd_count: 'cds',
  cd_count_30d: 'cds_30d',
  cd_count_90d: 'cds_90d',
  total_spent: centsToDecimal('cents'),
  total_spent_30d: centsToDecimal('cents_30d'),
  avg_order_value: centsToDecimal('(2 * cents + purchases) // (2 * purchases)'),
  days_since_last_purchase: '$dt::DATE - last_date',
  is_premium_user: 'cents >= 50000',
})}
FROM totals ORDER BY uid`;

/** Builds the partition of a business date from all loaded purchases and returns its number of users. */
export async function buildProfiles(
  session: DuckSession,
  files: WarehouseFiles,
  dt: string,
): Promise<number> {
  const purchaseFiles = listValue((await files.purchaseFiles('dwd/purchases')).map(({ file }) => file));
  const temporary = files.temporaryFile();
  const [{ Count } = {}] = await session.rows(
    `COPY (${FROM_PURCHASES}) TO $temporary (FORMAT parquet, COMPRESSION zstd)`,
    { dt, purchaseFiles, temporary },
  );
  await publishFile(temporary, files.profiles(dt, 'real'));
  return Number(Count);
}
