/** What a load leaves behind, measured for `data_quality_report`: lines taken and refused, users, and unknown values. */
import type { QualityResult } from '../../catalog/types.js';
import type { DuckSession } from './duck.js';
import type { ProfilePartition } from './files.js';
import type { LoadedPurchases } from './load-purchases.js';
import { PROFILE_COLUMNS, PROFILE_TABLE_NAME } from './user-profiles.js';

/** Columns that may be unknown; whoever is in the wide table has the others. */
const OPTIONAL_COLUMNS: ReadonlySet<string> = new Set(['gender', 'age', 'city', 'last_login_dt']);

interface Measured {
  readonly observed: number | string;
  readonly lower?: number;
  readonly upper?: number;
  readonly rowsChecked: number;
  readonly rowsFailed?: number;
  readonly columnName?: string;
  readonly detail?: string;
  /** What a value beyond its bounds means. */
  readonly ifBeyond: 'warning' | 'failed';
}

function toResult(
  where: { readonly dt: string; readonly tableName: string },
  checkName: string,
  checkKind: QualityResult['checkKind'],
  measured: Measured,
): QualityResult {
  const { observed, lower = -Infinity, upper = Infinity } = measured;
  return {
    ...where,
    columnName: measured.columnName ?? null,
    checkName,
    checkKind,
    status: Number(observed) < lower || Number(observed) > upper ? measured.ifBeyond : 'passed',
    observed: String(observed),
    lowerBound: measured.lower === undefined ? null : String(lower),
    upperBound: measured.upper === undefined ? null : String(upper),
    rowsChecked: measured.rowsChecked,
    rowsFailed: measured.rowsFailed ?? 0,
    detail: measured.detail ?? null,
  };
}

/** The lines of a purchases file, its header apart. A bad line is a warning: it was kept aside. */
export function checkLines({ dt, fileName, purchases, rejected }: LoadedPurchases): QualityResult[] {
  const where = { dt, tableName: 'ods.purchases' };
  const reasons = Object.entries(rejected).filter(([, lines]) => lines > 0);
  const bad = reasons.reduce((sum, [, lines]) => sum + lines, 0);
  const rowsChecked = purchases + bad;
  const detail = [fileName, ...reasons.map(([reason, lines]) => `${reason}: ${lines}`)].join(', ');
  return [
    toResult(where, 'lines', 'volume', {
      observed: rowsChecked,
      lower: 1,
      rowsChecked,
      detail: fileName,
      ifBeyond: 'warning',
    }),
    toResult(where, 'bad_lines', 'validity', {
      observed: bad,
      upper: 0,
      rowsChecked,
      rowsFailed: bad,
      detail,
      ifBeyond: 'warning',
    }),
  ];
}

/** A partition of the wide table. The share of unknown values has six decimals. */
export async function checkProfiles(
  session: DuckSession,
  { dt, origin, file }: ProfilePartition,
): Promise<QualityResult[]> {
  const where = { dt, tableName: PROFILE_TABLE_NAME };
  const label = origin === 'synthetic' ? { detail: 'synthetic users' } : {};
  const columns = Object.keys(PROFILE_COLUMNS).filter((column) => column !== 'uid');
  const [counts = {}] = await session.rows(
    `SELECT count(*) AS users, ${columns.map((column) => `count(${column}) AS ${column}`).join(', ')}
    FROM read_parquet($file, hive_partitioning = false)`,
    { file },
  );
  const users = Number(counts.users);
  return [
    toResult(where, 'users', 'volume', {
      observed: users,
      lower: 1,
      rowsChecked: users,
      ...label,
      ifBeyond: 'warning',
    }),
    ...columns.map((columnName) => {
      const unknown = users - Number(counts[columnName]);
      return toResult(where, 'unknown', 'null_rate', {
        columnName,
        observed: (users === 0 ? 0 : unknown / users).toFixed(6),
        ...(OPTIONAL_COLUMNS.has(columnName) ? {} : { upper: 0 }),
        rowsChecked: users,
        rowsFailed: unknown,
        ...label,
        ifBeyond: 'failed',
      });
    }),
  ];
}
