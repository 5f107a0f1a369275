/** Who is in which crowd, in LMDB: a row per user, a cell per crowd, its value empty. */
import type {
  ApplyResult,
  ImmediateMembershipSource,
  MembershipChange,
  MembershipStore,
  Memberships,
  ReadOptions,
} from '../membership-store.js';
import { decodePresent, RowTable } from './row-table.js';

const decodeMemberships = (bytes: Buffer): Memberships =>
  decodePresent(bytes, (changeTimeMs) => changeTimeMs);

/** Opens the memberships kept in `folder`; threads and processes may share it. Throws `set_up`. */
export function openEmbeddedMembershipStore(folder: string): MembershipStore & ImmediateMembershipSource {
  const table = new RowTable(folder, 'memberships');
  return {
    get: (uid: string, options?: ReadOptions) => table.get(uid, decodeMemberships, options),
    getNow: (uid: string) => table.getNow(uid, decodeMemberships),
    getMany: (uids: readonly string[], options?: ReadOptions) =>
      table.getMany(uids, decodeMemberships, options),
    apply: (changes: readonly MembershipChange[], nowMs: number): Promise<ApplyResult> =>
      table.apply(
        changes.map(({ uid, crowdCode, kind, changeTimeMs }) => ({
          uid,
          code: crowdCode,
          changeTimeMs,
          value: kind === 'enter' ? '' : null,
        })),
        nowMs,
      ),
    async *scanCrowd(crowdCode: string) {
      for await (const { uid, row } of table.scan(decodeMemberships)) {
        const changeTimeMs = row.get(crowdCode);
        if (changeTimeMs !== undefined) yield { uid, changeTimeMs };
      }
    },
    clear: () => table.clear(),
    close: () => table.close(),
  };
}
