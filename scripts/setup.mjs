// Makes a fresh clone ready to run, with nothing but Node and npm: installs what the lockfile names (once per
// lockfile) and compiles what has changed. Plain JavaScript without dependencies, because it runs before both.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '..');
const NOT_SOURCES = new Set(['node_modules', 'dist', '.git', '.quanren']);

/** Runs a command of the project with its output shown on stderr, and ends this process if it fails. */
export function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (error !== undefined || status !== 0) {
    console.error(
      `quanren: '${command} ${args.join(' ')}' failed${error ? `: ${error.message}` : ` (exit ${status})`}.`,
    );
    process.exit(1);
  }
}

/** Runs a tool that node_modules holds. */
export function runTool(entry, args, options) {
  run(process.execPath, [path.join(root, 'node_modules', entry), ...args], options);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19) || major >= 25) {
    console.error(
      `quanren: Node ${process.versions.node} is not supported: install Node 20.19 or later, up to 24.`,
    );
    process.exit(1);
  }
}

function ensureInstalled() {
  const wanted = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = path.join(root, 'node_modules', '.installed-lockfile');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.error('Installing dependencies (once) …');
  // Not `npm ci`: it refuses a lockfile that lacks the optional packages of another platform.
  run('npm', ['install', '--no-save', '--include=dev', '--include=optional', '--no-progress'], {
    shell: process.platform === 'win32',
  });
  writeFileSync(stamp, wanted);
}

/** In the root people lay files of their own. */
function isSource(folder, name) {
  return folder === root ? name === 'tsconfig.json' || name === 'package.json' : /\.(ts|json)$/.test(name);
}

/** The newest change of any source, in epoch milliseconds; a room's folder counts, since a removed file changes it. */
function newestSource(folder) {
  // The root changes whenever data or logs are laid beside the sources.
  let newest = folder === root ? 0 : statSync(folder).mtimeMs;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (NOT_SOURCES.has(entry.name)) continue;
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(file));
    else if (isSource(folder, entry.name)) newest = Math.max(newest, statSync(file).mtimeMs);
  }
  return newest;
}

function ensureBuilt() {
  const stamp = path.join(root, 'dist', '.built');
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= newestSource(root)) return;
  const startedAt = new Date();
  console.error('Compiling …');
  runTool('typescript/bin/tsc', ['-p', '.']);
  writeFileSync(stamp, startedAt.toISOString());
}

export function setUp() {
  checkNode();
  ensureInstalled();
  ensureBuilt();
}
