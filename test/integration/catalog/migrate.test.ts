import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { openCatalog } from '../../../catalog/catalog.js';
import { APP_ROLE } from '../../../catalog/embedded-roles.js';
import { migrate } from '../../../catalog/migrate.js';
import { query, startTestPostgres, type TestPostgres } from '../../support/postgres.js';

const ZONE = 'Asia/Shanghai';
let server: TestPostgres;
before(async () => {
  server = await startTestPostgres();
});
after(() => server.stop());

test('two migrators at once: one runs each migration, the other waits and finds nothing to do', async () => {
  const files = readdirSync(path.resolve('catalog', 'migrations'));
  const connection = await server.createDatabase();
  const ran = await Promise.all([migrate(connection, ZONE, APP_ROLE), migrate(connection, ZONE, APP_ROLE)]);
  assert.deepEqual(ran.map((names) => names.length).sort(), [0, files.length]);
  assert.deepEqual(await migrate(connection, ZONE, APP_ROLE), []);
  assert.equal((await query(connection, 'SELECT name FROM schema_migrations')).length, files.length);
});

test('an upgrade: crowds that were computed and deleted before it are emptied by runs after it', async () => {
  const connection = await server.createDatabase();
  const client = new pg.Client(connection);
  await client.connect();
  await runner({
    dbClient: client,
    dir: path.resolve(import.meta.dirname, '../../../../catalog/migrations'),
    migrationsTable: 'schema_migrations',
    direction: 'up',
    count: 3,
    logger: { info: () => {}, warn: () => {}, error: () => {} },
  });
  await client.end();
  await query(
    connection,
    `INSERT INTO crowd_rules (crowd_code, crowd_name, rule_json) VALUES ('there', 'x', '{}');
     INSERT INTO crowd_rule_versions (crowd_code, version, crowd_name, rule_json, rule_hash, author)
       SELECT code, version, 'x', '{}', '', 'ann'
       FROM unnest(ARRAY['there', 'gone', 'never_begun']) AS code, generate_series(1, 2) AS version;
     INSERT INTO crowd_runs (batch_id, crowd_code, rule_version, dt, cause, requested_by, status, started_at, finished_at)
       SELECT gen_random_uuid(), code, version, '1998-06-30', 'manual', 'ann', 'committed', now(), now()
       FROM unnest(ARRAY['there', 'gone']) AS code, generate_series(1, 2) AS version;
     INSERT INTO crowd_runs (batch_id, crowd_code, rule_version, dt, cause, requested_by, status, finished_at)
       VALUES (gen_random_uuid(), 'never_begun', 1, '1998-06-30', 'manual', 'ann', 'failed', now())`,
  );
  assert.deepEqual(await migrate(connection, ZONE, APP_ROLE), ['0005_deletion-runs']);
  const catalog = openCatalog({ connection, zone: ZONE });
  const unfinished = await catalog.runs.unfinished();
  await catalog.close();
  assert.deepEqual(
    unfinished.map(({ crowdCode, cause, dt, ruleVersion, status }) => [
      crowdCode,
      cause,
      dt,
      ruleVersion,
      status,
    ]),
    [['gone', 'deletion', null, 2, 'queued']],
  );
});

test('the founding tables have exactly their columns, types and defaults', async () => {
  const connection = await server.createDatabase();
  await migrate(connection, ZONE, APP_ROLE);
  const columns = await query(
    connection,
    `SELECT attrelid::regclass::text || '.' || attname || ' ' || format_type(atttypid, atttypmod)
       || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
       || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '') AS column
     FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE attrelid IN ('tag_metadata'::regclass, 'crowd_rules'::regclass, 'marketing_activity'::regclass)
       AND attnum BETWEEN 1 AND CASE attrelid WHEN 'crowd_rules'::regclass THEN 8 ELSE 10 END
     ORDER BY attrelid::regclass::text, attnum`,
  );
  assert.deepEqual(
    columns.map((row) => row.column),
    [
      'crowd_rules.crowd_code character varying(50) NOT NULL',
      'crowd_rules.crowd_name character varying(100) NOT NULL',
      'crowd_rules.rule_json text NOT NULL',
      'crowd_rules.schedule_cron character varying(50)',
      'crowd_rules.last_calc_dt date',
      'crowd_rules.user_count bigint DEFAULT 0',
      "crowd_rules.status character varying(20) DEFAULT 'active'::character varying",
      'crowd_rules.create_time timestamp without time zone DEFAULT CURRENT_TIMESTAMP',
      'marketing_activity.activity_id character varying(50) NOT NULL',
      'marketing_activity.activity_name character varying(100) NOT NULL',
      'marketing_activity.crowd_code character varying(50)',
      'marketing_activity.channel character varying(50)',
      'marketing_activity.start_time timestamp without time zone NOT NULL',
      'marketing_activity.end_time timestamp without time zone NOT NULL',
      "marketing_activity.status character varying(20) DEFAULT 'planning'::character varying",
      'marketing_activity.total_reach_count bigint DEFAULT 0',
      'marketing_activity.conversion_count bigint DEFAULT 0',
      'marketing_activity.create_time timestamp without time zone DEFAULT CURRENT_TIMESTAMP',
      'tag_metadata.tag_code character varying(50) NOT NULL',
      'tag_metadata.tag_name character varying(100) NOT NULL',
      'tag_metadata.tag_type character varying(20) NOT NULL',
      'tag_metadata.biz_key_field character varying(50) NOT NULL',
      'tag_metadata.source_table character varying(200)',
      'tag_metadata.source_field character varying(100)',
      'tag_metadata.calculation_type character varying(20) NOT NULL',
      'tag_metadata.update_freq character varying(20)',
      'tag_metadata.description text',
      'tag_metadata.create_time timestamp without time zone DEFAULT CURRENT_TIMESTAMP',
    ],
  );
});

test('anyone who connects gets the platform’s zone, so that civil times come out right', async () => {
  const connection = await server.createDatabase();
  await migrate(connection, ZONE, APP_ROLE);
  const [row] = await query(connection, "SELECT current_setting('TimeZone') AS zone");
  assert.equal(row?.zone, ZONE);
  await migrate(connection, 'America/New_York', APP_ROLE);
  const [other] = await query(connection, "SELECT current_setting('TimeZone') AS zone");
  assert.equal(other?.zone, 'America/New_York');
});

test('audit and versions cannot be changed, by anyone', async () => {
  const connection = await server.createDatabase();
  await migrate(connection, ZONE, APP_ROLE);
  await query(
    connection,
    `INSERT INTO audit (principal, action, subject_kind, subject_key) VALUES ('a', 'b', 'tag', 'c')`,
  );
  for (const table of ['audit', 'crowd_rule_versions']) {
    for (const statement of [`DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`]) {
      await assert.rejects(query(connection, statement), /append-only/);
    }
  }
  await assert.rejects(query(connection, "UPDATE audit SET principal = 'x'"), /append-only/);
  await assert.rejects(query(connection, 'UPDATE crowd_rule_versions SET version = 2'), /append-only/);
});
