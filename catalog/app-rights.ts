/**
 * What the role that the platform works as may do: what the repositories need, table by table, and no more. History is
 * append-only: audit and versions can be read and added to. A table of a new migration has no rights until it is here.
 */
import pg from 'pg';
import { QuanrenError } from '../errors/quanren-error.js';

export type TableRight = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

export const APP_RIGHTS: Readonly<Record<string, readonly TableRight[]>> = {
  audit: ['SELECT', 'INSERT'],
  crowd_rule_versions: ['SELECT', 'INSERT'],
  crowd_rules: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  crowd_runs: ['SELECT', 'INSERT', 'UPDATE'],
  crowd_uses_crowd: ['SELECT', 'INSERT', 'DELETE'],
  crowd_uses_tag: ['SELECT', 'INSERT', 'DELETE'],
  data_quality_report: ['SELECT', 'INSERT'],
  loads: ['SELECT', 'INSERT', 'UPDATE'],
  marketing_activity: ['SELECT', 'INSERT'],
  outbox: ['SELECT', 'INSERT', 'DELETE'],
  schema_migrations: ['SELECT'],
  tag_metadata: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
};

/** Sequences of columns that are not GENERATED AS IDENTITY. */
const SEQUENCES = ['outbox_message_id_seq'];

/** Any constant of our own: processes that start at once grant one after the other. */
const GRANT_LOCK = 7_118_003;

/** Makes the rights of `role` those above, whatever they were. `client` is the owner's. */
export async function grantAppRights(client: pg.Client, role: string): Promise<void> {
  const to = pg.escapeIdentifier(role);
  const tables = Object.entries(APP_RIGHTS).map(
    ([table, rights]) => `GRANT ${rights.join(', ')} ON ${table} TO ${to}`,
  );
  const statements = [
    'BEGIN',
    `SELECT pg_advisory_xact_lock(${GRANT_LOCK})`,
    `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM ${to}`,
    `REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM ${to}`,
    `GRANT USAGE ON SCHEMA public TO ${to}`,
    ...tables,
    `GRANT USAGE ON SEQUENCE ${SEQUENCES.join(', ')} TO ${to}`,
    'COMMIT',
  ];
  await client.query(statements.join('; '));
}

/** Throws `set_up` where the role of `client` could rewrite history or change the schema. */
export async function refuseMightyRole(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ role: string; is_mighty: boolean }>(
    `SELECT current_user AS role, has_schema_privilege('public', 'CREATE')
       OR has_table_privilege('audit', 'UPDATE, DELETE, TRUNCATE, TRIGGER')
       OR has_table_privilege('crowd_rule_versions', 'UPDATE, DELETE, TRUNCATE, TRIGGER') AS is_mighty`,
  );
  const [found] = rows;
  if (found === undefined || !found.is_mighty) return;
  throw new QuanrenError(
    'set_up',
    `The role '${found.role}' of QUANREN_POSTGRES_URL may change the schema or rewrite the audit: give the platform a role of its own, as docs/operations.md shows.`,
  );
}
