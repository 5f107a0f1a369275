import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeRealtimeTagStoreContract } from '../realtime-tag-store.contract.js';
import { openEmbeddedRealtimeTagStore } from './embedded-realtime-tag-store.js';

describeRealtimeTagStoreContract('the embedded store', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'quanren-store-'));
  return {
    open: async () => openEmbeddedRealtimeTagStore(folder),
    remove: () => rm(folder, { recursive: true }),
  };
});
