import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openEmbeddedEventBus } from './embedded/embedded-event-bus.js';
import { startHeartbeat } from './heartbeat.js';
import { TOPICS } from './topics.js';

it('the heartbeat reaches every partition, at once and again, unless it may not, until it is stopped', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'quanren-heartbeat-'));
  const bus = openEmbeddedEventBus(folder);
  let sentAtMs = 0;
  const now = () => {
    sentAtMs += 1;
    return sentAtMs;
  };
  const seen = new Map<number, unknown[]>();
  const subscription = await bus.subscribe({
    topics: ['membership-changes'],
    group: 'g',
    start: { from: 'earliest' },
    onBatch: async (messages) => {
      for (const { partition, value } of messages)
        seen.set(partition, [...(seen.get(partition) ?? []), value]);
    },
    onError: assert.ifError,
  });
  let mayBeat = true;
  const stop = startHeartbeat(bus, { now, everyMs: 20, mayBeat: () => mayBeat, onError: assert.ifError });
  await delay(200);
  mayBeat = false;
  await delay(20);
  const held = sentAtMs;
  await delay(60);
  assert.equal(sentAtMs, held);
  mayBeat = true;
  await delay(60);
  assert.ok(sentAtMs > held);
  await stop();
  const sent = sentAtMs;
  assert.ok(sent >= 2, `${sent} beats`);
  await delay(60);
  assert.equal(sentAtMs, sent);
  await subscription.caughtUp();
  const expected = Array.from({ length: sent }, (_, i) => ({ type: 'heartbeat', sentAtMs: i + 1 }));
  assert.equal(seen.size, TOPICS['membership-changes'].partitions);
  for (const values of seen.values()) assert.deepEqual(values, expected);
  await bus.close();
  await rm(folder, { recursive: true });
});
