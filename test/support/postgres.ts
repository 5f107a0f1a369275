/** A real Postgres for a test file: `const server = await startTestPostgres()`, then a fresh database per test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import {
  type CatalogConnections,
  connectionsToEmbeddedPostgres,
  type PostgresConnection,
  startEmbeddedPostgres,
} from '../../catalog/embedded-postgres.js';

export interface TestPostgres {
  /** To an empty database, as superuser. */
  readonly connection: PostgresConnection;
  readonly pid: number;
  /** An empty database (UTF8, locale C), in some tens of milliseconds; to it, as superuser. */
  createDatabase(): Promise<PostgresConnection>;
  /** To a database of this server as the roles of the platform; those that `createDatabase` made are the owner's. */
  connectionsTo(database: string): CatalogConnections & { readonly owner: PostgresConnection };
  /** Ends the server and removes its folder. */
  stop(): Promise<void>;
}

/** A port of 127.0.0.1 that nobody has at the moment. */
export async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** The rows of one statement, over a connection of its own; of several statements, nothing. */
export async function query(
  connection: PostgresConnection,
  text: string,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** The server is not durable (fsync off): what tests durability starts its own. Takes about a second. */
export async function startTestPostgres(): Promise<TestPostgres> {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-postgres-'));
  const port = await findFreePort();
  const server = await startEmbeddedPostgres({
    folder,
    port,
    settings: { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', shared_buffers: '32MB' },
  });
  const { owner, app } = connectionsToEmbeddedPostgres({ folder, port });
  const killAtExit = () => process.kill(server.pid, 'SIGINT');
  process.once('exit', killAtExit);
  let databases = 0;
  return {
    connection: server.connection,
    pid: server.pid,
    createDatabase: async () => {
      databases += 1;
      const database = `test_${databases}`;
      const [name, role] = [database, owner.user].map(pg.escapeIdentifier);
      await query(server.connection, `CREATE DATABASE ${name} OWNER ${role}`);
      return { ...server.connection, database };
    },
    connectionsTo: (database) => ({ owner: { ...owner, database }, app: { ...app, database } }),
    stop: async () => {
      process.off('exit', killAtExit);
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
