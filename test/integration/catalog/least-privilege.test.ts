/** Who may do what in the catalog's database. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { APP_RIGHTS } from '../../../catalog/app-rights.js';
import { openCatalog } from '../../../catalog/catalog.js';
import { connectionsToEmbeddedPostgres, startEmbeddedPostgres } from '../../../catalog/embedded-postgres.js';
import { APP_ROLE } from '../../../catalog/embedded-roles.js';
import { migrate, prepareSchema } from '../../../catalog/migrate.js';
import { createTestCatalog, TEST_ZONE, tagDefinition } from '../../support/catalog.js';
import { findFreePort, query, startTestPostgres, type TestPostgres } from '../../support/postgres.js';

let server: TestPostgres;
before(async () => {
  server = await startTestPostgres();
});
after(() => server.stop());

const INSUFFICIENT_PRIVILEGE = { code: '42501' };

test('the platform’s role cannot rewrite history, change the schema, or become another role', async () => {
  const { catalog, connection } = await createTestCatalog(server);
  await catalog.tags.save(tagDefinition('age'), { principal: 'ann', expected: 'absent' });
  await catalog.close();
  for (const statement of [
    "UPDATE audit SET principal = 'bob'",
    'DELETE FROM audit',
    'TRUNCATE audit',
    'UPDATE crowd_rule_versions SET version = 2',
    'DELETE FROM crowd_rule_versions',
    'TRUNCATE crowd_rule_versions CASCADE',
    'DELETE FROM crowd_runs',
    'UPDATE outbox SET payload = NULL',
    'DELETE FROM schema_migrations',
    'CREATE TABLE mine (a int)',
    'CREATE SCHEMA mine',
    'CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE TRIGGER mine BEFORE INSERT ON audit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()',
    'ALTER TABLE audit DISABLE TRIGGER ALL',
    'DROP TABLE audit',
    'SET ROLE quanren_owner',
    'SET ROLE quanren',
    'CREATE ROLE mine',
    'CREATE DATABASE mine',
    "COPY audit TO '/tmp/quanren-audit'",
  ]) {
    await assert.rejects(query(connection, statement), INSUFFICIENT_PRIVILEGE, statement);
  }
  assert.deepEqual(await query(connection, 'SELECT principal FROM audit'), [{ principal: 'ann' }]);
});

test('the owner owns the database and is no superuser', async () => {
  const { database } = await server.createDatabase();
  const { owner } = server.connectionsTo(database);
  for (const statement of ['CREATE ROLE mine', 'CREATE DATABASE mine', 'SET ROLE quanren'])
    await assert.rejects(query(owner, statement), INSUFFICIENT_PRIVILEGE, statement);
});

test('every table has the rights that the code says, and is there', async () => {
  const { catalog, connection, superuser } = await createTestCatalog(server);
  await catalog.close();
  const grants = () =>
    query(
      superuser,
      `SELECT relname AS table, array_agg(privilege_type::text ORDER BY privilege_type::text) FILTER (
         WHERE grantee = '${APP_ROLE}'::regrole) AS rights
       FROM pg_class, aclexplode(relacl)
       WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' GROUP BY relname ORDER BY relname`,
    );
  const meant = Object.entries(APP_RIGHTS)
    .map(([table, rights]) => ({ table, rights: rights.toSorted() }))
    .toSorted((a, b) => (a.table < b.table ? -1 : 1));
  const read = async () =>
    (await grants()).map(({ table, rights }) => ({
      table,
      rights: String(rights).replace(/[{}]/g, '').split(','),
    }));
  assert.deepEqual(await read(), meant);
  // Whatever somebody gave by hand is taken back at the next start.
  await query(superuser, `GRANT ALL ON audit TO ${APP_ROLE}`);
  await assert.rejects(prepareSchema({ owner: null, app: connection }, TEST_ZONE), { code: 'set_up' });
  await prepareSchema(server.connectionsTo(connection.database), TEST_ZONE);
  assert.deepEqual(await read(), meant);
});

test('without an owner the schema is checked and not touched', async () => {
  const { database } = await server.createDatabase();
  const { owner, app } = server.connectionsTo(database);
  await assert.rejects(prepareSchema({ owner: null, app }, TEST_ZONE), {
    code: 'set_up',
    message: /0001_seed-tables, 0002.*QUANREN_POSTGRES_OWNER_URL/,
  });
  assert.deepEqual(await query(owner, "SELECT relname FROM pg_class WHERE relname = 'audit'"), []);
  assert.notEqual((await prepareSchema({ owner, app }, TEST_ZONE)).length, 0);
  assert.deepEqual(await prepareSchema({ owner: null, app }, TEST_ZONE), []);
});

test('a role that may do too much is refused, and so is one role for both', async () => {
  const { connection, superuser, catalog } = await createTestCatalog(server);
  await catalog.close();
  const { owner } = server.connectionsTo(connection.database);
  for (const app of [owner, superuser])
    await assert.rejects(prepareSchema({ owner: null, app }, TEST_ZONE), { code: 'set_up' });
  await assert.rejects(prepareSchema({ owner, app: owner }, TEST_ZONE), { code: 'set_up' });
});

test('a data folder from before there were roles goes on with all that it holds', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-roles-'));
  const options = { folder, port: await findFreePort() };
  try {
    const old = await startEmbeddedPostgres(options);
    const { app } = connectionsToEmbeddedPostgres(options);
    await migrate(old.connection, TEST_ZONE, app.user);
    const asSuperuser = openCatalog({ connection: old.connection, zone: TEST_ZONE });
    await asSuperuser.tags.save(tagDefinition('age'), { principal: 'ann', expected: 'absent' });
    await asSuperuser.close();
    await query(
      old.connection,
      `REASSIGN OWNED BY quanren_owner TO quanren; DROP OWNED BY quanren_owner; DROP OWNED BY quanren_app;
       DROP ROLE quanren_owner; DROP ROLE quanren_app; GRANT ALL ON DATABASE quanren TO PUBLIC`,
    );
    await old.stop();
    for (const name of ['password.owner', 'password.app']) rmSync(path.join(folder, name));

    for (const start of ['first', 'second']) {
      const running = await startEmbeddedPostgres(options);
      const connections = connectionsToEmbeddedPostgres(options);
      await prepareSchema(connections, TEST_ZONE);
      const catalog = openCatalog({ connection: connections.app, zone: TEST_ZONE });
      assert.equal((await catalog.tags.get('age')).tagName, 'Tag age');
      await catalog.tags.save(tagDefinition(start), { principal: 'ann', expected: 'absent' });
      await catalog.close();
      await assert.rejects(query(connections.app, 'CREATE TEMP TABLE mine (a int)'), INSUFFICIENT_PRIVILEGE);
      assert.deepEqual(
        await query(
          running.connection,
          `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
             AND relowner <> 'quanren_owner'::regrole
           UNION SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
             AND proowner <> 'quanren_owner'::regrole`,
        ),
        [],
      );
      await running.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
