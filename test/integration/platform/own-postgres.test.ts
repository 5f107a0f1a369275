/** The platform's process on a Postgres that is not the embedded one. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { PostgresConnection } from '../../../catalog/embedded-postgres.js';
import { startPlatformStack } from '../../../cli/platform-stack.js';
import { loadSettings } from '../../../config/settings.js';
import { findFreePort, query, startTestPostgres, type TestPostgres } from '../../support/postgres.js';

let server: TestPostgres;
let folder: string;
before(async () => {
  server = await startTestPostgres();
  folder = mkdtempSync(path.join(tmpdir(), 'quanren-own-postgres-'));
});
after(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const urlOf = ({ user, password, host, port, database }: PostgresConnection) =>
  `postgres://${user}:${password}@${host}:${port}/${database}`;

/** Starts the platform, asks whether it is ready, and stops it; what it said while it started. */
async function startOnce(urls: Readonly<Record<string, string>>): Promise<string[]> {
  const environment = {
    ...urls,
    QUANREN_DATA_DIR: folder,
    QUANREN_DEMO: 'false',
    QUANREN_SCHEDULE: 'false',
  };
  const said: string[] = [];
  const note = (text: string) => said.push(text);
  const stack = await startPlatformStack({
    settings: loadSettings(environment),
    platformPort: await findFreePort(),
    environment,
    events: { onProgress: note, onTrouble: note },
  });
  try {
    assert.equal((await fetch(`${await stack.ready}/readyz`)).status, 200);
  } finally {
    await stack.stop();
  }
  return said;
}

/** Runs the SQL that the manual gives, under other names than those of the embedded Postgres. */
async function setUpAsDocumented(): Promise<void> {
  const page = readFileSync(path.resolve('docs', 'operations.md'), 'utf8');
  const [, sql = ''] = /```sql\n(CREATE ROLE[^`]+)```/.exec(page) ?? [];
  for (const statement of sql.split(';\n').filter(Boolean))
    await query(server.connection, statement.replaceAll('quanren', 'own'));
}

test('needs the owner for its migrations only, and starts no Postgres', async () => {
  await setUpAsDocumented();
  const database = { ...server.connection, database: 'own' };
  const app = { ...database, user: 'own_app', password: 'another' };
  const owner = { ...database, user: 'own_owner', password: 'one' };
  const url = { QUANREN_POSTGRES_URL: urlOf(app) };
  await assert.rejects(startOnce(url), {
    code: 'set_up',
    message: /0001_seed-tables.*QUANREN_POSTGRES_OWNER_URL/,
  });
  const first = await startOnce({ ...url, QUANREN_POSTGRES_OWNER_URL: urlOf(owner) });
  assert.match(first.join('\n'), /migrations applied/);
  assert.doesNotMatch((await startOnce(url)).join('\n'), /migrations|Postgres/);
  assert.equal(existsSync(path.join(folder, 'postgres')), false);
});
