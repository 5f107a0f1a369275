import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { prepareExportFolder } from './export-folder.js';

let base: string;
let root: string;
let outside: string;
before(() => {
  base = realpathSync(mkdtempSync(path.join(tmpdir(), 'quanren-export-')));
  root = path.join(base, 'root');
  outside = path.join(base, 'outside');
  mkdirSync(root);
  mkdirSync(outside);
  symlinkSync(outside, path.join(root, 'link'));
  symlinkSync(path.join(base, 'not-there'), path.join(root, 'dangling'));
  symlinkSync(root, path.join(base, 'root-too'));
});
after(() => rmSync(base, { recursive: true, force: true }));

test('within the root: made where it is not there, relative to it or absolute', async () => {
  const place = { root, mayLeaveRoot: false };
  assert.equal(await prepareExportFolder(undefined, place), root);
  assert.equal(await prepareExportFolder('daily/a', place), path.join(root, 'daily/a'));
  assert.ok(existsSync(path.join(root, 'daily/a')));
  assert.equal(await prepareExportFolder(path.join(root, 'daily'), place), path.join(root, 'daily'));
  assert.equal(await prepareExportFolder('daily/../daily', place), path.join(root, 'daily'));
  // The root itself may be reached through a link.
  const linked = { root: path.join(base, 'root-too'), mayLeaveRoot: false };
  assert.equal(await prepareExportFolder('daily', linked), path.join(root, 'daily'));
});

test('outside the root: refused, by whatever way, and nothing is made there', async () => {
  const place = { root, mayLeaveRoot: false };
  const ways = [
    outside,
    path.join(outside, 'new'),
    '/etc',
    '..',
    '../outside/new',
    `${root}/daily/../../outside/new`,
    `${root}-sibling`,
    'link',
    'link/new',
    path.join(root, 'link', 'new', 'deep'),
  ];
  for (const folder of ways)
    await assert.rejects(prepareExportFolder(folder, place), { code: 'forbidden' }, folder);
  assert.equal(existsSync(path.join(outside, 'new')), false);
  for (const folder of ['dangling', 'dangling/new'])
    await assert.rejects(prepareExportFolder(folder, place), { code: 'bad_request' }, folder);
  assert.equal(existsSync(path.join(base, 'not-there')), false);
});

test('who may leave the root gets any folder, told without links', async () => {
  const place = { root, mayLeaveRoot: true };
  assert.equal(await prepareExportFolder(path.join(outside, 'mine'), place), path.join(outside, 'mine'));
  assert.equal(await prepareExportFolder('link', place), outside);
});
