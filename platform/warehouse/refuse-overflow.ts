/**
 * Totals have a largest value, that of their columns in the wide table. A file that takes a user beyond one is refused as
 * a whole and before anything of it is written: kept, it would stand in the way of every later load.
 */
import { listValue } from '@duckdb/node-api';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { DuckSession } from './duck.js';

/** Of total_spent DECIMAL(10,2), and of cd_count INTEGER; purchase_count cannot get there first by any file. */
const MOST_SPENT = '99999999.99';
const MOST_CDS = 2_147_483_647;

const LOADED = `SELECT uid, sum(amount) AS spent, sum(cds) AS cds
  FROM read_parquet($loadedFiles, hive_partitioning = false) SEMI JOIN staged USING (uid) GROUP BY uid`;
const NOTHING_LOADED = 'SELECT uid, amount AS spent, cds FROM staged WHERE false';

const isBeyond = (spent: string, cds: string) =>
  `(coalesce(loaded.spent, 0) + ${spent} > $mostSpent::DECIMAL(10,2) OR coalesce(loaded.cds, 0) + ${cds} > $mostCds)`;

/** The first line of the session's `staged` purchases with which a user's total is too large. */
const firstLineBeyond = (loaded: string) => `
WITH loaded AS (${loaded}), suspects AS (
  SELECT uid FROM staged LEFT JOIN loaded USING (uid) WHERE uid IS NOT NULL
  GROUP BY uid, loaded.spent, loaded.cds HAVING ${isBeyond('sum(staged.amount)', 'sum(staged.cds)')}
), running AS (
  SELECT uid, line_number, sum(amount) OVER so_far AS spent, sum(cds) OVER so_far AS cds
  FROM staged SEMI JOIN suspects USING (uid) WINDOW so_far AS (PARTITION BY uid ORDER BY line_number)
)
SELECT uid, line_number, coalesce(loaded.spent, 0) + running.spent AS spent,
  coalesce(loaded.cds, 0) + running.cds AS cds, loaded.uid IS NOT NULL AS was_loaded
FROM running LEFT JOIN loaded USING (uid) WHERE ${isBeyond('running.spent', 'running.cds')}
ORDER BY line_number LIMIT 1`;

/** `loadedFiles` are those of `dwd/purchases`. Throws `bad_request` naming user, line and total. */
export async function refuseOverflow(
  session: DuckSession,
  fileName: string,
  loadedFiles: readonly string[],
): Promise<void> {
  const [found] = await session.rows(firstLineBeyond(loadedFiles.length === 0 ? NOTHING_LOADED : LOADED), {
    mostSpent: MOST_SPENT,
    mostCds: MOST_CDS,
    ...(loadedFiles.length === 0 ? {} : { loadedFiles: listValue([...loadedFiles]) }),
  });
  if (found === undefined) return;
  const { uid, line_number: line, spent, cds, was_loaded: wasLoaded } = found;
  const [column, total, most] =
    Number(cds) > MOST_CDS ? ['cd_count', cds, MOST_CDS] : ['total_spent', spent, MOST_SPENT];
  const before = wasLoaded === true ? ', with what was loaded before' : '';
  throw new QuanrenError(
    'bad_request',
    `Line ${line} of ${fileName} takes the ${column} of user ${uid} to ${total}${before}, and the wide table holds ${most} at most. Nothing was loaded: correct the purchases of this user, or leave them out.`,
  );
}
