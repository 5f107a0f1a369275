/** Realtime tags in LMDB: a row per user, a cell per tag. */
import type { ReadOptions } from '../membership-store.js';
import type { RealtimeTagChange, RealtimeTagStore, RealtimeTags } from '../realtime-tag-store.js';
import { decodePresent, RowTable } from './row-table.js';

const decodeTags = (bytes: Buffer): RealtimeTags => decodePresent(bytes, (_changeTimeMs, value) => value);

/** Opens the realtime tags kept in `folder`; threads and processes may share it. Throws `set_up`. */
export function openEmbeddedRealtimeTagStore(folder: string): RealtimeTagStore {
  const table = new RowTable(folder, 'realtime-tags');
  return {
    get: (uid: string, options?: ReadOptions) => table.get(uid, decodeTags, options),
    getMany: (uids: readonly string[], options?: ReadOptions) => table.getMany(uids, decodeTags, options),
    apply: (changes: readonly RealtimeTagChange[], nowMs: number) =>
      table.apply(
        changes.map(({ uid, tagCode, value, changeTimeMs }) => ({ uid, code: tagCode, value, changeTimeMs })),
        nowMs,
      ),
    clear: () => table.clear(),
    close: () => table.close(),
  };
}
