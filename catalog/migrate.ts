/**
 * Brings a database to the newest schema: the SQL files of catalog/migrations/, forward only, each in a transaction.
 * Processes that start at once take turns on an advisory lock; the second finds nothing left to do. Migrations run as
 * the owner; the platform works as another role, which gets its rights here.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { QuanrenError } from '../errors/quanren-error.js';
import { grantAppRights, refuseMightyRole } from './app-rights.js';
import { sessionOptions } from './database.js';
import type { CatalogConnections, PostgresConnection } from './embedded-postgres.js';

/** A migration, and the wait for another process's. */
const DEADLINE_MS = 120_000;
/** Compiled code lies in dist/, the SQL files only among the sources. */
const FOLDER = path.resolve(import.meta.dirname, '..', '..', 'catalog', 'migrations');

/**
 * Sees to it that the schema is the newest and that the app's role has its rights, no more and no less. Returns the
 * names of the migrations that were run. Without an owner nothing is changed, and `set_up` says what is missing.
 */
export async function prepareSchema({ owner, app }: CatalogConnections, zone: string): Promise<string[]> {
  const ran = owner === null ? [] : await migrate(owner, zone, app.user);
  const client = new pg.Client(sessionOptions(app, zone));
  try {
    await client.connect();
    await refuseOldSchema(client);
    await refuseMightyRole(client);
  } catch (cause) {
    throw describeFailure('could not be looked at', cause);
  } finally {
    await client.end();
  }
  return ran;
}

async function refuseOldSchema(client: pg.Client): Promise<void> {
  const { rows: found } = await client.query("SELECT WHERE to_regclass('schema_migrations') IS NOT NULL");
  const { rows } =
    found.length === 0
      ? { rows: [] }
      : await client.query<{ name: string }>('SELECT name FROM schema_migrations');
  const ran = new Set(rows.map(({ name }) => name));
  const missing = readdirSync(FOLDER)
    .map((file) => path.parse(file).name)
    .filter((name) => !ran.has(name));
  if (missing.length === 0) return;
  throw new QuanrenError(
    'set_up',
    `The catalog's database lacks ${missing.toSorted().join(', ')}: start once with QUANREN_POSTGRES_OWNER_URL, the way in of the role that owns it.`,
  );
}

/**
 * Returns the names of the migrations that this call ran. Also makes `zone` the database's own, so that civil times
 * come out right in anyone's psql. `appRole` exists. Rejects with `unavailable` when another process holds the lock for
 * too long.
 */
export async function migrate(owner: PostgresConnection, zone: string, appRole: string): Promise<string[]> {
  if (owner.user === appRole) {
    throw new QuanrenError(
      'set_up',
      `QUANREN_POSTGRES_URL and QUANREN_POSTGRES_OWNER_URL name one role, '${appRole}': the platform works as another one than that which owns its tables.`,
    );
  }
  const client = new pg.Client({
    ...sessionOptions(owner, zone),
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
    await setZone(client, owner.database, zone);
    await grantAppRights(client, appRole);
    return ran.map(({ name }) => name);
  } catch (cause) {
    throw describeFailure('could not be brought to the newest schema', cause);
  } finally {
    await client.end();
  }
}

function describeFailure(what: string, cause: unknown): QuanrenError {
  if (cause instanceof QuanrenError) return cause;
  return new QuanrenError(
    'unavailable',
    `The catalog's database ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
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
