/** Platforms that are killed: copies of one that has run, and a process that dies in a copy at a step of its runs. */
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { query, type TestPostgres } from '../../support/postgres.js';
import type { Place } from '../../support/run-platform.js';

const CHILD = fileURLToPath(new URL('./run-child.js', import.meta.url));
const CHILD_DEADLINE_MS = 60_000;

/** What the process is to ask for where nothing is unfinished. */
export type Task = { readonly computeFor: string } | { readonly deletions: readonly string[] };

/** Beside the original, which nobody has open. */
export async function copyPlace(server: TestPostgres, original: Place, name: string): Promise<Place> {
  const folder = path.join(path.dirname(original.folder), name);
  cpSync(original.folder, folder, { recursive: true });
  const [copy, template] = [name, original.connection.database].map(pg.escapeIdentifier);
  await query(server.connection, `CREATE DATABASE ${copy} TEMPLATE ${template}`);
  return { folder, connection: { ...original.connection, database: name } };
}

/** Runs it to its end, or until it kills itself after so many steps. */
export function runChild({ folder, connection }: Place, task: Task, dieAt = 0) {
  const child = spawnSync(
    process.execPath,
    [CHILD, folder, JSON.stringify(connection), JSON.stringify(task), String(dieAt)],
    { encoding: 'utf8', timeout: CHILD_DEADLINE_MS },
  );
  return {
    signal: child.signal,
    status: child.status,
    steps: child.stdout.split('\n').filter(Boolean),
    stderr: child.stderr,
  };
}
