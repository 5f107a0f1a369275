// Makes a fresh clone ready to run, with nothing but Node and npm: installs what the lockfile names (once per
// lockfile) and compiles the sources (once per state of them). Plain JavaScript without dependencies, because it runs before both.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '..');
const NOT_SOURCES = new Set(['node_modules', 'dist', 'dist.next', '.git', '.quanren']);

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

/** Whether `stamp` says that what lies beside it was made of just this. */
const isStamped = (stamp, wanted) => existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;

function ensureInstalled() {
  const wanted = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = path.join(root, 'node_modules', '.installed-lockfile');
  if (isStamped(stamp, wanted)) return;
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

function* sources(folder = root) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!NOT_SOURCES.has(entry.name)) yield* sources(file);
    } else if (isSource(folder, entry.name)) yield file;
  }
}

/** Of names and contents: times do not tell when a file was put back, or changed while the compiler ran. */
function hashSources() {
  const hash = createHash('sha256');
  for (const file of [...sources()].sort()) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function ensureBuilt() {
  const dist = path.join(root, 'dist');
  const wanted = hashSources();
  if (isStamped(path.join(dist, '.built'), wanted)) return;
  console.error('Compiling …');
  // Beside what is there, which may run just now, and in its place once it is whole; nothing of sources that are no longer stays.
  const next = path.join(root, 'dist.next');
  rmSync(next, { recursive: true, force: true });
  runTool('typescript/bin/tsc', ['-p', '.', '--outDir', next]);
  writeFileSync(path.join(next, '.built'), wanted);
  rmSync(dist, { recursive: true, force: true });
  renameSync(next, dist);
}

export function setUp() {
  checkNode();
  ensureInstalled();
  ensureBuilt();
}
