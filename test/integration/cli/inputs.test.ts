/** Files that a command is given and cannot use: told by name, with the exit code of a wrong input. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';

const MAIN = path.resolve(import.meta.dirname, '..', '..', '..', 'cli', 'main.js');
const folder = mkdtempSync(path.join(tmpdir(), 'quanren-inputs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function quanren(...args: string[]) {
  const data = path.join(folder, 'data');
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { PATH: process.env.PATH, QUANREN_DATA_DIR: data },
  });
  assert.ok(!existsSync(data), 'nothing was started for it');
  return { status, stdout, stderr };
}

test('a purchases file that is not there, or is none', () => {
  for (const file of [path.join(folder, 'missing.txt'), folder, '']) {
    const { status, stderr } = quanren('load', 'purchases', file);
    assert.equal(status, 2, stderr);
    assert.ok(stderr.includes(`'${file}' cannot be read`), stderr);
  }
});

test('a file of synthetic users in a folder that is not there', () => {
  const missing = path.join(folder, 'missing');
  const out = path.join(missing, 'users.parquet');
  const { status, stderr } = quanren(
    ...['generate', 'users', '--count', '10', '--seed', '1', '--dt', '2026-11-23', '--out', out],
  );
  assert.equal(status, 2, stderr);
  assert.ok(stderr.includes(`${missing} cannot be written (ENOENT)`), stderr);
});

test('version, and exit codes in every help', () => {
  assert.match(quanren('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  for (const command of [[], ['start'], ['load', 'purchases'], ['cron', 'next'], ['rules', 'eval']]) {
    const { status, stdout } = quanren(...command, '--help');
    assert.equal(status, 0);
    assert.equal(stdout.match(/Exit codes: 0 done/g)?.length, 1, stdout);
    assert.match(stdout, /Examples?:/);
  }
});
