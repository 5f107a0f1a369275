import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeMembershipStoreContract } from '../membership-store.contract.js';
import { openEmbeddedMembershipStore } from './embedded-membership-store.js';

describeMembershipStoreContract('the embedded store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'quanren-store-'));
  return {
    open: async () => openEmbeddedMembershipStore(folder),
    remove: () => rm(folder, { recursive: true }),
  };
});
