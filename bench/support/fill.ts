/** Users for a bench. */
import type { MembershipStore } from '../../stores/membership-store.js';

const CHUNK = 50_000;

/** Puts users 0 to `count - 1` into their crowds. */
export async function fillMemberships(
  store: Pick<MembershipStore, 'apply'>,
  count: number,
  uidOf: (i: number) => string,
  crowdsOf: (i: number) => readonly string[],
): Promise<void> {
  const changeTimeMs = Date.now() - 1_000;
  let chunk = [];
  for (let i = 0; i < count; i++) {
    const uid = uidOf(i);
    for (const crowdCode of crowdsOf(i)) chunk.push({ uid, crowdCode, kind: 'enter' as const, changeTimeMs });
    if (chunk.length < CHUNK && i < count - 1) continue;
    await store.apply(chunk, Date.now());
    chunk = [];
  }
}
