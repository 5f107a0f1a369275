/**
 * The way to Postgres: a bounded pool, named prepared statements, transactions, and pg's errors as ours.
 *
 * Every session has the platform's time zone, because the founding tables' TIMESTAMP columns hold its civil time.
 */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { QuanrenError } from '../errors/quanren-error.js';
import type { PostgresConnection } from './embedded-postgres.js';

const CONNECT_DEADLINE_MS = 5_000;
const STATEMENT_DEADLINE_MS = 10_000;
const LOCK_DEADLINE_MS = 5_000;
const IDLE_TRANSACTION_MS = 30_000;
/** Any constant of our own; changes to the catalog go one at a time under it. */
const CHANGE_LOCK = 7_118_001;

export interface DatabaseOptions {
  readonly connection: PostgresConnection;
  /** An IANA name. */
  readonly zone: string;
  /** Default 10. */
  readonly maxConnections?: number;
  /** Hears of connections that broke while idle; the pool makes new ones. */
  readonly onIdleError?: (error: Error) => void;
}

/** Values as text except what JavaScript holds without loss: integers to 2^53, booleans, instants, JSON. */
const PARSERS = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.BOOL, (text) => text === 't'],
  [pg.types.builtins.INT2, Number],
  [pg.types.builtins.INT4, Number],
  [pg.types.builtins.INT8, toSafeInteger],
  [pg.types.builtins.TIMESTAMPTZ, pg.types.getTypeParser(pg.types.builtins.TIMESTAMPTZ)],
  [pg.types.builtins.TIMESTAMP, (text) => text.replace(' ', 'T')],
  [pg.types.builtins.JSONB, (text): unknown => JSON.parse(text)],
]);
/** Arrays of text (`_text`, `_varchar`). */
for (const oid of [1009, 1015]) PARSERS.set(oid, pg.types.getTypeParser(oid));

function toSafeInteger(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw new Error(`${text} is beyond 2^53`);
  return number;
}

/** What `pg` needs to reach the database as we want it reached. */
export function sessionOptions(connection: PostgresConnection, zone: string): pg.ClientConfig {
  return {
    ...connection,
    application_name: 'quanren',
    connectionTimeoutMillis: CONNECT_DEADLINE_MS,
    statement_timeout: STATEMENT_DEADLINE_MS,
    // The client's own clock, for a server that has stopped to answer at all.
    query_timeout: STATEMENT_DEADLINE_MS + CONNECT_DEADLINE_MS,
    lock_timeout: LOCK_DEADLINE_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
    keepAlive: true,
    options: `-c TimeZone=${zone} -c DateStyle=ISO,YMD`,
    types: { getTypeParser: (oid: number) => PARSERS.get(oid) ?? ((text: string) => text) },
  };
}

const names = new Map<string, string>();

/** A prepared statement's name, from its text: the same text never gets two, nor two texts the same. */
function nameOf(text: string): string {
  let name = names.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    names.set(text, name);
  }
  return name;
}

/** Something that runs statements: the pool, or one transaction. */
export interface Queryable {
  /** `text` is one of the code's own constants; values travel apart from it. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface Database extends Queryable {
  transaction<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
  /** A transaction that no other change of the catalog crosses: what it reads stays true until it commits. */
  change<T>(work: (transaction: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function openDatabase(options: DatabaseOptions): Database {
  const pool = new pg.Pool({
    ...sessionOptions(options.connection, options.zone),
    max: options.maxConnections ?? 10,
  });
  pool.on('error', (error) => options.onIdleError?.(error));

  const transaction = async <T>(work: (transaction: Queryable) => Promise<T>): Promise<T> => {
    const client = await pool.connect().catch(rethrow);
    let broken = false;
    try {
      await client.query('BEGIN');
      const result = await work({ query: (text, values) => run(client, text, values) });
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {
        broken = true;
      });
      return rethrow(error);
    } finally {
      client.release(broken);
    }
  };

  return {
    query: (text, values) => run(pool, text, values),
    transaction,
    change: (work) =>
      transaction(async (tx) => {
        await tx.query('SELECT pg_advisory_xact_lock($1)', [CHANGE_LOCK]);
        return work(tx);
      }),
    close: () => pool.end(),
  };
}

async function run<Row>(
  on: pg.Pool | pg.ClientBase,
  text: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const statement = { name: nameOf(text), text, values: [...values] };
  const { rows } = await on.query<Row & pg.QueryResultRow>(statement).catch(rethrow);
  return rows;
}

/** Postgres's codes for: connection, resources, intervention, cancelled by a deadline, lock not had, not up yet. */
const UNAVAILABLE = /^(08...|53...|57...|55P03|25P03)$/;

function rethrow(error: unknown): never {
  if (error instanceof QuanrenError) throw error;
  const code = error instanceof pg.DatabaseError ? error.code : undefined;
  if (code !== undefined && !UNAVAILABLE.test(code)) throw error;
  if (code === undefined && !isConnectionError(error)) throw error;
  throw new QuanrenError('unavailable', 'The catalog’s database does not answer in time; ask again.', {
    cause: error,
  });
}

/** pg reports a lost or refused connection, and its own deadlines, as plain errors. */
function isConnectionError(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (
    'errors' in error ||
    ('code' in error && typeof error.code === 'string' && /^E[A-Z]+$/.test(error.code))
  )
    return true;
  return /timeout|terminated|connection/i.test(error.message);
}

/** The only row, where the statement cannot give another number. */
export function one<Row>(rows: readonly Row[]): Row {
  const [row] = rows;
  if (row === undefined || rows.length !== 1) throw new Error(`expected one row, got ${rows.length}`);
  return row;
}
