/**
 * Brings a database to the newest schema: the SQL files of catalog/migrations/, forward only, each in a transaction.
 * Processes that start at once take turns on an advisory lock; the second finds nothing left to do.
 */
import path from 'node:path';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { QuanrenError } from '../errors/quanren-error.js';
import { sessionOptions } from './database.js';
import type { PostgresConnection } from './embedded-postgres.js';

/** A migration, and the wait for another process's. */
const DEADLINE_MS = 120_000;
/** Compiled code lies in dist/, the SQL files only among the sources. */
const FOLDER = path.resolve(import.meta.dirname, '..', '..', 'catalog', 'migrations');

/**
 * Returns the names of the migrations that this call ran. Also makes `zone` the database's own, so that civil times
 * come out right in anyone's psql. Rejects with `unavailable` when another process holds the lock for too long.
 */
export async function migrate(connection: PostgresConnection, zone: string): Promise<string[]> {
  const client = new pg.Client({
    ...sessionOptions(connection, zone),
    statement_timeout: DEADLINE_MS,
    lock_timeout: DEADLINE_MS,
    query_timeout: DEADLINE_MS,
  });
  try {
    await client.connect();
    const silent = () => undefined;
    const ran = await runner({
      dbClient: client,
      dir: FOLDER,
      migrationsTable: 'schema_migrations',
      direction: 'up',
      singleTransaction: false,
      advisoryLockMode: 'wait',
      logger: { info: silent, warn: silent, error: silent },
    });
    await setZone(client, connection.database, zone);
    return ran.map(({ name }) => name);
  } catch (cause) {
    throw new QuanrenError(
      'unavailable',
      `The catalog's database could not be brought to the newest schema: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  } finally {
    await client.end();
  }
}

async function setZone(client: pg.Client, database: string, zone: string): Promise<void> {
  const { rows } = await client.query<{ is_set: boolean }>(
    `SELECT EXISTS (
       SELECT FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
       WHERE d.datname = current_database() AND s.setrole = 0 AND lower('TimeZone=' || $1) = ANY (
         SELECT lower(setting) FROM unnest(s.setconfig) AS setting)) AS is_set`,
    [zone],
  );
  if (rows[0]?.is_set) return;
  await client.query(
    `ALTER DATABASE ${pg.escapeIdentifier(database)} SET TimeZone TO ${pg.escapeLiteral(zone)}`,
  );
}
