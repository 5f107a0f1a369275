import assert from 'node:assert/strict';
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { type PostgresConnection, startEmbeddedPostgres } from '../../../catalog/embedded-postgres.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { findFreePort, query } from '../../support/postgres.js';
import { until } from '../../support/until.js';

const WITHIN_MS = 20_000;

const base = mkdtempSync(path.join(tmpdir(), 'quanren-embedded-'));
after(() => rmSync(base, { recursive: true, force: true }));

/** Gone, or a zombie that its adoptive parent has not reaped yet. */
function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform === 'linux' && readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return true;
  }
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

interface Orphan {
  readonly folder: string;
  readonly port: number;
}

/** A process that starts a server and stays; prints `connection` and `pid` when the server is ready. */
function startParent(options: Orphan): ChildProcessByStdio<null, Readable, null> {
  const module = new URL('../../../catalog/embedded-postgres.js', import.meta.url).href;
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(module)};
    const { connection, pid } = await startEmbeddedPostgres(${JSON.stringify(options)});
    process.stdout.write(JSON.stringify({ connection, pid }));
    setInterval(() => {}, 1000);`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}

/** Processes that have the folder in their arguments, or work in it. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid || hasEnded(Number(pid))) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder) ||
        readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)
      );
    } catch {
      return false;
    }
  });
}

test('a parent killed while it makes or starts the server leaves nothing running', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async () => {
  const options = { folder: path.join(base, 'killed-early'), port: await findFreePort() };
  const pidFile = path.join(options.folder, 'data', 'postmaster.pid');
  const moments: Record<string, () => boolean> = {
    'the cluster is being made': () => existsSync(path.join(options.folder, 'data.new', 'PG_VERSION')),
    'the cluster is made': () => existsSync(path.join(options.folder, 'data')),
    'the server has written its pid': () => existsSync(pidFile),
    'the server is ready': () => existsSync(pidFile) && /^ready *$/m.test(readFileSync(pidFile, 'utf8')),
  };
  for (const [moment, isReached] of Object.entries(moments)) {
    const parent = startParent(options);
    // A moment passes soon.
    await until(moment, isReached, WITHIN_MS, 1);
    await kill(parent);
    await until(`nothing is left when ${moment}`, () => processesOf(options.folder).length === 0, WITHIN_MS);
  }
  const server = await startEmbeddedPostgres(options);
  assert.deepEqual(await query(server.connection, 'SELECT 1 AS one'), [{ one: 1 }]);
  await server.stop();
  await until('the watcher has ended', () => processesOf(options.folder).length === 0, WITHIN_MS);
});

test('a server left over by a killed parent serves its clients, is replaced, and nothing is lost', async () => {
  const options = { folder: path.join(base, 'orphan'), port: await findFreePort() };
  const parent = startParent(options);
  const [output] = (await once(parent.stdout, 'data')) as [Buffer];
  const { connection, pid } = JSON.parse(output.toString()) as {
    connection: PostgresConnection;
    pid: number;
  };
  const client = new pg.Client(connection);
  client.on('error', () => undefined);
  await client.connect();
  await kill(parent);
  await client.query('CREATE TABLE kept AS SELECT 7 AS seven');
  await assert.rejects(async () => {
    for (let attempt = 0; attempt < 100; attempt += 1) {
      await query(connection, 'SELECT 1');
      await sleep(50);
    }
  }, /shutting down/);
  assert.ok(!hasEnded(pid));

  const port = await findFreePort();
  const server = await startEmbeddedPostgres({ ...options, port });
  assert.deepEqual(await query(server.connection, 'SELECT seven FROM kept'), [{ seven: 7 }]);
  assert.notEqual(server.pid, pid);
  assert.ok(hasEnded(pid));

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
