/**
 * What the embedded stores do. One process, data in the temporary folder; every commit is
 * synced to disk. Prints one line a figure.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEmbeddedMembershipStore } from '../stores/embedded/embedded-membership-store.js';
import type { MembershipChange } from '../stores/membership-store.js';
import { rowKey } from '../stores/row-key.js';

const USERS = 1_000_000;
const READS = 200_000;
const BATCH = 50_000;

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-bench-'));
const store = openEmbeddedMembershipStore(folder);
const nowMs = Date.now();

/** A full-period walk over the users: an order as good as random, without a random generator. */
const shuffled = (i: number): number => (i * 7_368_787 + 12_345) % USERS;
const uidOf = (i: number): string => `user_${i}`;

async function measure(what: string, count: number, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  const cpu = process.cpuUsage();
  await work();
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const perSecond = Math.round(count / seconds).toLocaleString('en');
  const cpuMicros = ((user + system) / count).toFixed(2);
  process.stdout.write(`${what}: ${perSecond}/s (${seconds.toFixed(1)} s, ${cpuMicros} µs CPU each)\n`);
}

async function enter(crowdCode: string, uids: (i: number) => string): Promise<void> {
  for (let start = 0; start < USERS; start += BATCH) {
    const changes: MembershipChange[] = Array.from({ length: BATCH }, (_, i) => ({
      uid: uids(start + i),
      crowdCode,
      kind: 'enter',
      changeTimeMs: nowMs,
    }));
    await store.apply(changes, nowMs);
  }
}

await measure('enter 1 M new users, random order', USERS, () =>
  enter('big_spenders', (i) => uidOf(shuffled(i))),
);
await measure('enter a second crowd, random order', USERS, () => enter('lapsed', (i) => uidOf(shuffled(i))));
const inOrder = Array.from({ length: USERS }, (_, i) => uidOf(i)).sort((a, b) =>
  rowKey(a) < rowKey(b) ? -1 : 1,
);
await measure('enter a third crowd, row-key order', USERS, () => enter('premium', (i) => inOrder[i] ?? ''));
await measure('the same again (a repeated run)', USERS, () => enter('premium', (i) => inOrder[i] ?? ''));
await measure('get, random users', READS, async () => {
  for (let i = 0; i < READS; i += 1) await store.get(uidOf(shuffled(i)));
});
for (const size of [16, 128, 1_000]) {
  await measure(`getMany of ${size}, random users`, READS, async () => {
    for (let start = 0; start < READS; start += size) {
      await store.getMany(Array.from({ length: size }, (_, i) => uidOf(shuffled(start + i))));
    }
  });
}
await measure('scan a crowd of 1 M', USERS, async () => {
  let members = 0;
  for await (const _ of store.scanCrowd('lapsed')) members += 1;
  if (members !== USERS) throw new Error(`${members} members`);
});
const sizeMib = statSync(path.join(folder, 'memberships.mdb')).size / 2 ** 20;
process.stdout.write(
  `file: ${Math.round(sizeMib)} MiB for ${USERS.toLocaleString('en')} users in 3 crowds\n`,
);
await store.close();
rmSync(folder, { recursive: true });
