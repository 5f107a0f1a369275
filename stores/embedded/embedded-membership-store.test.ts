import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { describeMembershipStoreContract } from '../membership-store.contract.js';
import { openEmbeddedMembershipStore } from './embedded-membership-store.js';

describeMembershipStoreContract('the embedded store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'quanren-store-'));
  return {
    open: async () => openEmbeddedMembershipStore(folder),
    remove: () => rm(folder, { recursive: true }),
  };
});

/** Stores one change from another process, and holds this thread meanwhile. */
function enterElsewhere(folder: string, uid: string, crowdCode: string): void {
  const store = JSON.stringify(import.meta.resolve('./embedded-membership-store.js'));
  const change = JSON.stringify({ uid, crowdCode, kind: 'enter', changeTimeMs: Date.now() });
  const script = `
    import { openEmbeddedMembershipStore } from ${store};
    const store = openEmbeddedMembershipStore(${JSON.stringify(folder)});
    await store.apply([${change}], Date.now());
    await store.close();`;
  execFileSync(process.execPath, ['--input-type=module', '-e', script]);
}

test('getNow sees what another process stored in the same turn, and says what is wrong', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'quanren-store-'));
  const store = openEmbeddedMembershipStore(folder);
  try {
    assert.deepEqual(store.getNow('u1'), new Map());
    enterElsewhere(folder, 'u1', 'a');
    assert.deepEqual([...store.getNow('u1').keys()], ['a']);
    enterElsewhere(folder, 'u1', 'b');
    assert.deepEqual(store.getNow('u1'), await store.get('u1'));
    assert.throws(() => store.getNow(''), { code: 'invalid_uid' });
    await store.close();
    assert.throws(() => store.getNow('u1'), { code: 'unavailable' });
  } finally {
    await store.close();
    await rm(folder, { recursive: true });
  }
});
