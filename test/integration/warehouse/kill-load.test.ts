import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./load-child.js', import.meta.url));
const FILE = 'data/cdnow_master.txt';
const DT = '1998-06-30';
const KILLS = 8;

let folder: string;

before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'quanren-load-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Loads into `root`; killed so long after it began, if that is before its end. Returns how long the load took. */
function load(root: string, dt: string, killAfterMs?: number): Promise<{ loadMs: number; killed: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, root, FILE, dt], { stdio: ['ignore', 'pipe', 'inherit'] });
    let readyMs = 0;
    let loadMs = 0;
    child.stdout.on('data', (bytes: Buffer) => {
      if (bytes.includes('ready')) {
        readyMs = performance.now();
        if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
      }
      if (bytes.includes('done')) loadMs = performance.now() - readyMs;
    });
    child.on('error', reject);
    child.on('exit', (status, signal) => {
      if (status === 0 || signal === 'SIGKILL') resolve({ loadMs, killed: signal === 'SIGKILL' });
      else reject(new Error(`the load ended with ${status ?? signal}`));
    });
  });
}

/** Every file of the layers with its content's hash; what lies in tmp/ is not of the layers. */
function layersOf(root: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(root, { withFileTypes: true, recursive: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const name = path.relative(root, file);
    if (entry.isFile() && !name.startsWith('tmp'))
      files[name] = createHash('sha256').update(readFileSync(file)).digest('hex');
  }
  return files;
}

/** The purchases of whatever partition, and the wide table of DT: what must be the same. */
function contentOf(layers: Record<string, string>): string[] {
  return Object.entries(layers)
    .filter(([name]) => !name.startsWith('dws') || name.includes(`dt=${DT}`))
    .map(([name, hash]) => `${name.replace(/dt=[^/]*/, 'dt=')} ${hash}`)
    .sort();
}

test('a load killed at any moment, and repeated, leaves the very files of an undisturbed one', async () => {
  const undisturbed = path.join(folder, 'undisturbed');
  const { loadMs } = await load(undisturbed, DT);
  const expected = layersOf(undisturbed);
  assert.equal(Object.keys(expected).length, 4);

  let killed = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const root = path.join(folder, String(kill));
    // Under another business date half of the time: no line may come to lie under both.
    const dt = kill % 2 === 0 ? DT : '1998-06-29';
    const first = await load(root, dt, (loadMs * kill) / KILLS);
    killed += first.killed ? 1 : 0;
    for (const [name, hash] of Object.entries(layersOf(root)))
      if (name.includes(`dt=${DT}`)) assert.equal(hash, expected[name], `${name} is seen, and not whole`);
    await load(root, DT);
    assert.deepEqual(contentOf(layersOf(root)), contentOf(expected), `killed at ${kill} of ${KILLS}`);
  }
  assert.ok(killed > KILLS / 2, `only ${killed} of the loads were killed in time`);
});
