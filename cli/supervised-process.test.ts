import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { SupervisedProcess } from './supervised-process.js';

let folder: string;
before(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'quanren-supervised-'));
});
after(() => rmSync(folder, { recursive: true }));

function supervise(
  script: string,
  events: string[] = [],
): { child: SupervisedProcess; recovered: Promise<void> } {
  const module = path.join(folder, `${Math.abs(script.length)}-${events.length}.mjs`);
  writeFileSync(module, script);
  let onRecovery = (): void => undefined;
  const recovered = new Promise<void>((resolve) => {
    onRecovery = () => resolve();
  });
  const child = new SupervisedProcess({
    name: 'the child',
    module,
    environment: process.env,
    logFile: path.join(folder, 'child.log'),
    readyWithinMs: 5_000,
    stopWithinMs: 500,
    onProgress: (text) => events.push(`progress ${text}`),
    onDeath: (why) => events.push(`death ${why}`),
    onRecovery,
  });
  return { child, recovered };
}

test('a child that dies is started again; one that is stopped is not', async () => {
  const events: string[] = [];
  const { child, recovered } = supervise(
    `process.send({progress:'half way'}); process.send({ready:{port:1}}); setInterval(() => {}, 1000);`,
    events,
  );
  assert.deepEqual(await child.start(), { port: 1 });
  const first = child.pid;
  assert.ok(first !== undefined);
  process.kill(first, 'SIGKILL');
  await recovered;
  assert.notEqual(child.pid, first);
  assert.deepEqual(events, [
    'progress half way',
    'death the child was ended by SIGKILL',
    'progress half way',
  ]);
  await child.stop();
  assert.equal(child.pid, undefined);
});

test('a child that cannot start says why, and is not started again', async () => {
  const { child } = supervise(`process.send({failed:'the port is taken'}, () => process.exit(3));`);
  await assert.rejects(child.start(), /the port is taken/);
  assert.equal(child.pid, undefined);
});

test('a child that ignores SIGTERM is killed', async () => {
  const { child } = supervise(
    `process.on('SIGTERM', () => {}); process.send({ready:{}}); setInterval(() => {}, 1000);`,
  );
  await child.start();
  await child.stop();
  assert.equal(child.pid, undefined);
});
