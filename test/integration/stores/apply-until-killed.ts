/** Applies one batch after the other to the store in the folder argument, and reports each that was acknowledged. */
import { openEmbeddedMembershipStore } from '../../../stores/embedded/embedded-membership-store.js';

const [folder = '', once] = process.argv.slice(2);
const store = openEmbeddedMembershipStore(folder);
for (let batch = 0; ; batch += 1) {
  const changes = Array.from({ length: 200 }, (_, i) => ({
    uid: `${batch}-${i}`,
    crowdCode: 'a',
    kind: 'enter' as const,
    changeTimeMs: Date.now(),
  }));
  await store.apply(changes, Date.now());
  process.stdout.write(`${batch}\n`);
  if (once === 'once') break;
}
await store.close();
