import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import pg from 'pg';
import { type PostgresConnection, startEmbeddedPostgres } from '../../../catalog/embedded-postgres.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { findFreePort } from '../../support/postgres.js';

const base = mkdtempSync(path.join(tmpdir(), 'quanren-embedded-'));
after(() => rmSync(base, { recursive: true, force: true }));

async function query(connection: PostgresConnection, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(connection);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Gone, or a zombie that its adoptive parent has not reaped yet. */
function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return true;
  }
  return process.platform === 'linux' && readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
}

test('starts, keeps data over a stop, is durable, private and UTF8 with locale C', async () => {
  const options = { folder: path.join(base, 'first'), port: await findFreePort() };
  const first = await startEmbeddedPostgres(options);
  const [facts] = await query(
    first.connection,
    `SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit,
            pg_encoding_to_char(encoding) AS encoding, datcollate FROM pg_database WHERE datname = 'quanren'`,
  );
  assert.deepEqual(facts, { fsync: 'on', commit: 'on', encoding: 'UTF8', datcollate: 'C' });
  assert.equal(statSync(path.join(options.folder, 'password')).mode & 0o777, 0o600);
  await assert.rejects(query({ ...first.connection, password: 'wrong' }, 'SELECT 1'), /password/);
  await query(first.connection, 'CREATE TABLE kept AS SELECT 1 AS one');
  await first.stop();
  await first.stop();
  await first.ended;
  const second = await startEmbeddedPostgres(options);
  assert.deepEqual(await query(second.connection, 'SELECT one FROM kept'), [{ one: 1 }]);
  await second.stop();
});

test('a port in use is named with its setting', async () => {
  const port = await findFreePort();
  const other = createServer().listen(port, '127.0.0.1');
  try {
    await assert.rejects(
      startEmbeddedPostgres({ folder: path.join(base, 'taken'), port }),
      (error) =>
        error instanceof QuanrenError &&
        error.code === 'set_up' &&
        /QUANREN_POSTGRES_PORT/.test(error.message),
    );
  } finally {
    other.close();
  }
});

test('a server left over by a killed parent is replaced and nothing is lost', async () => {
  const options = { folder: path.join(base, 'orphan'), port: await findFreePort() };
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(new URL('../../../catalog/embedded-postgres.js', import.meta.url).href)};
    const server = await startEmbeddedPostgres(${JSON.stringify(options)});
    process.stdout.write(JSON.stringify(server.connection) + '\\n' + server.pid + '\\n');
    setInterval(() => {}, 1000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const output = await new Promise<string>((resolve) => {
    let text = '';
    parent.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.split('\n').length === 3) resolve(text);
    });
  });
  const [connection, pid] = output.split('\n');
  await query(JSON.parse(connection ?? '') as PostgresConnection, 'CREATE TABLE kept AS SELECT 7 AS seven');
  parent.kill('SIGKILL');
  await new Promise((resolve) => parent.once('exit', resolve));
  process.kill(Number(pid), 0);

  const port = await findFreePort();
  const server = await startEmbeddedPostgres({ ...options, port });
  assert.deepEqual(await query(server.connection, 'SELECT seven FROM kept'), [{ seven: 7 }]);
  assert.notEqual(server.pid, Number(pid));
  assert.ok(hasEnded(Number(pid)));

  // The server itself killed: its backends may hold the shared memory for a moment.
  process.kill(server.pid, 'SIGKILL');
  await server.ended;
  const again = await startEmbeddedPostgres({ ...options, port });
  assert.deepEqual(await query(again.connection, 'SELECT seven FROM kept'), [{ seven: 7 }]);
  await again.stop();

  // A stale pid file whose number now belongs to somebody else: that one is left alone.
  const bystander = spawn('sleep', ['60']);
  writeFileSync(
    path.join(options.folder, 'data', 'postmaster.pid'),
    `${bystander.pid}\n${options.folder}/data\n1\n${port}\n\n127.0.0.1\n\nready\n`,
  );
  const last = await startEmbeddedPostgres({ ...options, port });
  assert.equal(bystander.exitCode, null);
  bystander.kill();
  await last.stop();
});

test('root can keep the data where other users may not enter', {
  skip: process.getuid?.() !== 0 && 'needs root',
}, async () => {
  const closed = mkdtempSync(path.join(base, 'closed-'));
  const server = await startEmbeddedPostgres({
    folder: path.join(closed, 'postgres'),
    port: await findFreePort(),
  });
  assert.deepEqual(await query(server.connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  await server.stop();
});
