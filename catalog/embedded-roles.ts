/**
 * The roles of the embedded server. Its superuser makes the database and these two at every start, and nothing else:
 * the owner runs migrations, the app is what the platform works as. Data folders from before there were roles are
 * brought to the same state.
 */
import pg from 'pg';
import type { PostgresConnection } from './embedded-postgres.js';

export const OWNER_ROLE = 'quanren_owner';
export const APP_ROLE = 'quanren_app';

const CONNECT_DEADLINE_MS = 10_000;

export interface RolePasswords {
  readonly owner: string;
  readonly app: string;
}

/** `superuser` names the database, which is made where it is missing. */
export async function ensureCatalogDatabase(
  superuser: PostgresConnection,
  passwords: RolePasswords,
): Promise<void> {
  const database = pg.escapeIdentifier(superuser.database);
  await withClient({ ...superuser, database: 'postgres' }, async (client) => {
    await ensureRole(client, OWNER_ROLE, passwords.owner);
    await ensureRole(client, APP_ROLE, passwords.app);
    const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [
      superuser.database,
    ]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${database}`);
    await client.query(`ALTER DATABASE ${database} OWNER TO ${OWNER_ROLE}`);
    await client.query(`REVOKE ALL ON DATABASE ${database} FROM PUBLIC`);
    await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${APP_ROLE}`);
  });
  await withClient(superuser, giveToOwner);
}

async function ensureRole(client: pg.Client, role: string, password: string): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  if (rowCount === 0) await client.query(`CREATE ROLE ${role}`);
  await client.query(`ALTER ROLE ${role} LOGIN PASSWORD ${pg.escapeLiteral(password)}`);
}

/** What migrations made while they ran as superuser. Sequences and indexes go with their tables. */
async function giveToOwner(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ statement: string }>(
    `SELECT format('ALTER TABLE %s OWNER TO ${OWNER_ROLE}', oid::regclass) AS statement
     FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relowner = current_user::regrole
     UNION ALL
     SELECT format('ALTER FUNCTION %s OWNER TO ${OWNER_ROLE}', oid::regprocedure)
     FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proowner = current_user::regrole`,
  );
  for (const { statement } of rows) await client.query(statement);
}

async function withClient(
  connection: PostgresConnection,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: CONNECT_DEADLINE_MS });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
