/**
 * Starts and stops a real Postgres of our own, under one folder:
 *
 *   <folder>/data/          the cluster (UTF8, locale C, checksums)
 *   <folder>/password       of the superuser `quanren`, generated once, mode 0600; password.owner and password.app are
 *                           those of the roles that the platform connects as (embedded-roles.ts)
 *   <folder>/postgres.log   since the last start
 *
 * States: absent → (initdb in data.new, renamed when whole) → stopped → running → stopped. A server that runs still is
 * stopped and started anew, so that it always has the settings asked for. The caller sees to it that one process at a
 * time uses a folder.
 *
 * The server is in a session of its own: Ctrl-C in the terminal reaches the parent only, which stops it last. When the
 * parent is killed, at whatever moment, the server ends with the last of its clients.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { QuanrenError } from '../errors/quanren-error.js';
import { APP_ROLE, ensureCatalogDatabase, OWNER_ROLE } from './embedded-roles.js';
import { chooseServiceUser, findPostgresBinaries, runAs, type ServiceUser } from './postgres-binaries.js';

const MAJOR_VERSION = '18';
const SUPERUSER = 'quanren';
const PASSWORD_FILES = { superuser: 'password', owner: 'password.owner', app: 'password.app' } as const;
const DATABASE = 'quanren';
const HOST = '127.0.0.1';
const INITDB_DEADLINE_MS = 60_000;
/** Crash recovery replays at most a checkpoint's worth of log; on a slow disk that takes a while. */
const START_DEADLINE_MS = 120_000;
const STOP_DEADLINE_MS = 30_000;
/** Backends of a postmaster that was killed hold its shared memory for a moment. */
const ORPHANS_DEADLINE_MS = 15_000;
const POLL_MS = 20;
/**
 * Becomes the server, and leaves a watcher behind that reads from the parent: a line once the server has ended or is to
 * stay, or the end of the pipe when the parent is gone. Then it asks for the smart shutdown (no new clients; ends with
 * the last), and after 30 s for the fast one. The watcher is nobody's child: a server takes the death of one it does not
 * know for a crash.
 */
const WITH_LIFELINE = `
server=$$
( (
  read -r line <&3 && exit
  kill -TERM $server
  for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    sleep 1
    kill -0 $server || exit
  done
  kill -INT $server
) >/dev/null 2>&1 & )
exec "$@" 3<&-`;

export interface EmbeddedPostgresOptions {
  /** Created where it is missing. */
  readonly folder: string;
  /** On 127.0.0.1. */
  readonly port: number;
  /** Server settings over the defaults; tests trade durability for speed with it. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Once it takes connections, the server stays when this process ends, however that ends. */
  readonly outlivesParent?: boolean;
}

/** How to reach a database; what `pg` takes. */
export interface PostgresConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** TLS: `true` verifies the server by the system's authorities, `ca` by these (PEM). Absent: none. */
  readonly ssl?: boolean | { readonly ca: string };
}

/** The two ways to a catalog's database. */
export interface CatalogConnections {
  /** Owns the schema and runs migrations; null where somebody else does that. */
  readonly owner: PostgresConnection | null;
  /** Has the rights of app-rights.ts and no more. */
  readonly app: PostgresConnection;
}

export interface EmbeddedPostgres {
  readonly pid: number;
  /** To the database `quanren`, as superuser. */
  readonly connection: PostgresConnection;
  /** Resolves when the server has ended, whoever ended it. */
  readonly ended: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, everything committed is on disk. Repeating it is harmless. */
  stop(): Promise<void>;
}

const DURABLE: Readonly<Record<string, string>> = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
};

/** Resolves when the server takes connections. Rejects with `set_up` (port in use, folder not usable) or `unavailable`. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = path.resolve(options.folder);
  const binaries = findPostgresBinaries();
  mkdirSync(folder, { recursive: true });
  const data = path.join(folder, 'data');
  const user = chooseServiceUser(data);
  own(folder, user, 0o700);
  const passwords = {
    superuser: ensurePassword(folder, PASSWORD_FILES.superuser, user),
    owner: ensurePassword(folder, PASSWORD_FILES.owner, user),
    app: ensurePassword(folder, PASSWORD_FILES.app, user),
  };
  await ensureCluster(binaries.initdb, folder, data, user);
  await stopLeftover(data);
  const { pid, ended } = await launch(binaries.postgres, folder, data, user, options);
  const connection = connectionAs(SUPERUSER, passwords.superuser, options.port);
  await ensureCatalogDatabase(connection, passwords);
  let stopping: Promise<void> | undefined;
  return {
    pid,
    connection,
    ended,
    stop: () => {
      stopping ??= stopProcess(pid, ended);
      return stopping;
    },
  };
}

/** How another process of this machine reaches the server that was started with this folder and port. */
export function connectionsToEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): CatalogConnections & { readonly owner: PostgresConnection } {
  const read = (file: string) => readFileSync(path.join(path.resolve(options.folder), file), 'utf8');
  return {
    owner: connectionAs(OWNER_ROLE, read(PASSWORD_FILES.owner), options.port),
    app: connectionAs(APP_ROLE, read(PASSWORD_FILES.app), options.port),
  };
}

function connectionAs(user: string, password: string, port: number): PostgresConnection {
  return { host: HOST, port, user, password, database: DATABASE };
}

function own(file: string, user: ServiceUser | undefined, mode: number): void {
  chmodSync(file, mode);
  if (user !== undefined) chownSync(file, user.uid, user.gid);
}

function ensurePassword(folder: string, name: string, user: ServiceUser | undefined): string {
  const file = path.join(folder, name);
  if (!existsSync(file)) {
    const whole = `${file}.new`;
    writeFileSync(whole, randomBytes(24).toString('base64url'), { mode: 0o600 });
    own(whole, user, 0o600);
    renameSync(whole, file);
  }
  return readFileSync(file, 'utf8');
}

async function ensureCluster(
  initdb: string,
  folder: string,
  data: string,
  user: ServiceUser | undefined,
): Promise<void> {
  if (existsSync(data)) {
    const version = readFileSync(path.join(data, 'PG_VERSION'), 'utf8').trim();
    if (version === MAJOR_VERSION) return;
    throw new QuanrenError(
      'set_up',
      `${data} was written by Postgres ${version}, and this is Postgres ${MAJOR_VERSION}. Move the data with pg_dump and pg_restore, or start with an empty data folder.`,
    );
  }
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const args = [
    `--pgdata=${fresh}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${path.join(folder, 'password')}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
  ];
  const command = runAs(user, initdb, args, [initdb, fresh]);
  const child = spawn(command.file, command.args, {
    ...command.ids,
    cwd: '/',
    env: serverEnvironment(),
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: INITDB_DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const failure = await new Promise<string | undefined>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `${signal ?? code}: ${output}`));
  });
  if (failure !== undefined) {
    throw new QuanrenError('set_up', `initdb could not make ${data}: ${failure.trim()}`);
  }
  renameSync(fresh, data);
}

/** libpq's variables and the locale must not reach the server. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG|TZ$)/.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** What postmaster.pid says: pid on line 1, state on line 8. */
function readPidFile(data: string): { pid: number; ready: boolean } | undefined {
  let lines: string[];
  try {
    lines = readFileSync(path.join(data, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  if (process.platform !== 'linux') return true;
  try {
    // In a container whose first process reaps no orphans, one that has ended stays as a zombie (state Z).
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
  } catch {
    return false;
  }
}

/** After a reboot the recorded pid may be anybody's: a postmaster works in its data folder. */
function isPostmasterOf(pid: number, data: string): boolean {
  if (!isAlive(pid)) return false;
  if (process.platform !== 'linux') return true;
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === realpathSync(data);
  } catch {
    return false;
  }
}

async function stopLeftover(data: string): Promise<void> {
  const recorded = readPidFile(data);
  if (recorded === undefined) return;
  if (!isPostmasterOf(recorded.pid, data)) {
    rmSync(path.join(data, 'postmaster.pid'), { force: true });
    return;
  }
  await stopProcess(recorded.pid);
}

/** SIGINT is Postgres's fast shutdown, SIGQUIT its immediate one (recovery at the next start, nothing lost). */
async function stopProcess(pid: number, ended?: Promise<void>): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
    const until = Date.now() + STOP_DEADLINE_MS;
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    while (isAlive(pid) && Date.now() < until) {
      await Promise.race([sleep(POLL_MS), ...(ended === undefined ? [] : [ended])]);
    }
    if (!isAlive(pid)) return;
  }
  throw new QuanrenError('unavailable', `Postgres (process ${pid}) does not stop.`);
}

interface Launched {
  readonly pid: number;
  readonly ended: Promise<void>;
}

async function launch(
  postgres: string,
  folder: string,
  data: string,
  user: ServiceUser | undefined,
  options: EmbeddedPostgresOptions,
): Promise<Launched> {
  const settings = {
    listen_addresses: HOST,
    port: String(options.port),
    unix_socket_directories: '',
    ...DURABLE,
    ...options.settings,
  };
  const args = [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const command = runAs(user, '/bin/sh', ['-c', WITH_LIFELINE, 'sh', postgres, ...args], [postgres, data]);
  const logFile = path.join(folder, 'postgres.log');
  const orphansUntil = Date.now() + ORPHANS_DEADLINE_MS;
  for (;;) {
    const log = openSync(logFile, 'w', 0o600);
    const child = spawn(command.file, command.args, {
      ...command.ids,
      cwd: '/',
      env: serverEnvironment(),
      // A file, not a pipe: the server outlives a parent that is killed, for a while.
      stdio: ['ignore', log, log, 'pipe'],
      detached: true,
    });
    closeSync(log);
    const lifeline = child.stdio[3] as Socket;
    lifeline.on('error', () => undefined).unref();
    let over = false;
    const ended = new Promise<void>((resolve) => {
      const end = () => {
        over = true;
        if (lifeline.writable) lifeline.end('done\n');
        resolve();
      };
      child.once('error', end);
      child.once('exit', end);
    });
    const until = Date.now() + START_DEADLINE_MS;
    while (!over && Date.now() < until) {
      const recorded = readPidFile(data);
      if (child.pid !== undefined && recorded?.pid === child.pid && recorded.ready) {
        if (options.outlivesParent === true) {
          lifeline.end('done\n');
          child.unref();
        }
        return { pid: child.pid, ended };
      }
      await sleep(POLL_MS);
    }
    if (!over && child.pid !== undefined) {
      await stopProcess(child.pid, ended);
      throw new QuanrenError(
        'unavailable',
        `Postgres was not ready within ${START_DEADLINE_MS / 1000} s; see ${logFile}.`,
      );
    }
    const said = readFileSync(logFile, 'utf8').trim();
    if (/shared memory block .* still in use/.test(said) && Date.now() < orphansUntil) {
      await sleep(200);
      continue;
    }
    if (/Address already in use/i.test(said)) {
      throw new QuanrenError(
        'set_up',
        `Port ${options.port} of 127.0.0.1 is in use: Postgres cannot start. A platform over another data folder may run there: name that folder with QUANREN_DATA_DIR. Else end what uses the port, or choose another with QUANREN_POSTGRES_PORT.`,
      );
    }
    throw new QuanrenError('set_up', `Postgres did not start; ${logFile} says: ${said.slice(-1500)}`);
  }
}
