/** The embedded store, and the embedded bus, on a disk that is full: what is not acknowledged says why, what is stays, and with room it goes on. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openEmbeddedEventBus } from '../../../events/embedded/embedded-event-bus.js';
import { openEmbeddedMembershipStore } from '../../../stores/embedded/embedded-membership-store.js';
import type { MembershipChange } from '../../../stores/membership-store.js';
import { SmallDisk } from '../../support/small-disk.js';

const TOGETHER = 500;
const MOST_BATCHES = 1_000;
const startedMs = Date.now();

function changes(batch: number): MembershipChange[] {
  return Array.from({ length: TOGETHER }, (_, i) => ({
    uid: `user-${batch}-${i}-${'x'.repeat(200)}`,
    crowdCode: 'vip',
    kind: 'enter' as const,
    changeTimeMs: startedMs + batch,
  }));
}

const skip = !SmallDisk.isPossible() && 'a disk cannot be mounted here';
test('a full disk: nothing acknowledged is lost', { skip }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-full-'));
  const disk = SmallDisk.mount(folder);
  let store = openEmbeddedMembershipStore(folder);
  const holds = async (batch: number) => {
    const found = await store.getMany(changes(batch).map(({ uid }) => uid));
    assert.ok(
      found.every((crowds) => crowds.get('vip') === startedMs + batch),
      `batch ${batch}`,
    );
  };
  try {
    await store.apply(changes(0), Date.now());
    disk?.fill();
    let batch = 1;
    let failure: unknown;
    for (; failure === undefined && batch < MOST_BATCHES; batch += 1) {
      await store.apply(changes(batch), Date.now()).catch((error: unknown) => {
        failure = error;
      });
    }
    const acknowledged = batch - 2;
    assert.ok(failure instanceof Error);
    assert.equal((failure as { code?: unknown }).code, 'unavailable', failure.message);
    assert.match(failure.message, /disk|space/i);
    for (let i = 0; i <= acknowledged; i += 1) await holds(i);
    disk?.free();
    for (let i = batch; i < batch + 10; i += 1) {
      await store.apply(changes(i), Date.now());
      await holds(i);
    }
    await store.close();
    store = openEmbeddedMembershipStore(folder);
    for (let i = 0; i <= acknowledged; i += 1) await holds(i);
    await holds(batch + 9);
  } finally {
    await store.close();
    disk?.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('the same of the embedded bus', { skip }, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-full-'));
  const disk = SmallDisk.mount(folder);
  const bus = openEmbeddedEventBus(folder);
  const published: string[] = [];
  const publish = async (batch: number) => {
    const messages = changes(batch).map((change) => ({
      key: change.uid,
      value: { type: 'membership-changed', ...change },
    }));
    await bus.publish('membership-changes', messages);
    published.push(...messages.map(({ key }) => key));
  };
  try {
    await publish(0);
    disk?.fill();
    await assert.rejects(
      async () => {
        for (let batch = 1; batch < MOST_BATCHES; batch += 1) await publish(batch);
      },
      { code: 'unavailable', message: /disk is full/ },
    );
    disk?.free();
    await publish(MOST_BATCHES);
    const heard = new Set<string>();
    const subscription = await bus.subscribe({
      group: 'all',
      topics: ['membership-changes'],
      start: { from: 'earliest' },
      onBatch: async (messages) => {
        for (const { key } of messages) heard.add(key);
      },
      onError: () => undefined,
      maxBatch: TOGETHER,
    });
    await subscription.caughtUp();
    await subscription.close();
    assert.deepEqual(
      published.filter((key) => !heard.has(key)),
      [],
    );
  } finally {
    await bus.close();
    disk?.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
});
