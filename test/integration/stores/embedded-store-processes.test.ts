import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openEmbeddedMembershipStore } from '../../../stores/embedded/embedded-membership-store.js';
import { startChild } from '../child.js';

const SCRIPT = './apply-until-killed.js';

describe('the embedded store, shared by processes', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'quanren-store-'));
  });
  after(() => rm(folder, { recursive: true }));

  it('loses nothing acknowledged when the writer is killed, while another process reads', async () => {
    const store = openEmbeddedMembershipStore(folder);
    for (let round = 0; round < 3; round += 1) {
      await store.clear();
      const child = startChild(import.meta.url, SCRIPT, [folder]);
      await child.reported(20 + round);
      for (const batch of child.lines) assert.equal((await store.get(`${batch}-0`)).size, 1);
      await child.kill();
      for (const batch of child.lines) {
        const uids = Array.from({ length: 200 }, (_, i) => `${batch}-${i}`);
        const found = await store.getMany(uids);
        assert.ok(
          found.every((crowds) => crowds.has('a')),
          `batch ${batch}`,
        );
      }
    }
    await store.close();
  });

  it('reads what another process had acknowledged, within one turn of the event loop', async () => {
    const store = openEmbeddedMembershipStore(folder);
    await store.clear();
    const before = store.get('0-0');
    // Blocks: no timer and no turn of the loop lies between the two reads.
    const child = spawnSync(process.execPath, [
      fileURLToPath(new URL(SCRIPT, import.meta.url)),
      folder,
      'once',
    ]);
    assert.equal(child.status, 0, String(child.stderr));
    const [after, many] = [store.get('0-0'), store.getMany(['0-0'])];
    assert.equal((await before).size, 0);
    assert.equal((await after).size, 1);
    assert.equal((await many)[0]?.size, 1);
    await store.close();
  });
});
