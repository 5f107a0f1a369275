/** `npm run bench`: what it says before it runs anything. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.resolve(import.meta.dirname, '..', '..', '..', '..');
const bench = (...args: string[]) =>
  spawnSync(process.execPath, [path.join(root, 'scripts', 'bench.mjs'), ...args], { encoding: 'utf8' });

test('--help lists every bench with what it takes', () => {
  const { status, stdout } = bench('--help');
  assert.equal(status, 0);
  const listed = Array.from(stdout.matchAll(/^([\w-]+): \S/gm), ([, name]) => name);
  const files = readdirSync(path.join(root, 'bench')).filter((file) => file.endsWith('.bench.ts'));
  assert.deepEqual(
    listed,
    files.map((file) => file.replace('.bench.ts', '')),
  );
  assert.match(stdout, /npm run bench -- gateway .*\[--uids short\|hex\]/);
});

test('a bench tells all of itself; options without one bench, and benches that are none, are refused', () => {
  assert.match(bench('sre', '--help').stdout, /Exit code 1 where a threshold is missed/);
  const alone = bench('--users', '3');
  assert.equal(alone.status, 2);
  assert.match(alone.stderr, /--users is an option of one bench/);
  const none = bench('nope');
  assert.equal(none.status, 2);
  assert.match(none.stderr, /There is no bench 'nope'\. There are: back-ends, /);
});
