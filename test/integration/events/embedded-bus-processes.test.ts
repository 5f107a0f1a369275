import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openEmbeddedEventBus } from '../../../events/embedded/embedded-event-bus.js';
import type { EventBus, Message } from '../../../events/event-bus.js';
import type { TagChangeMessage } from '../../../events/messages.js';
import { startChild } from '../child.js';

describe('the embedded bus, shared by processes', () => {
  let folder: string;
  let bus: EventBus;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'quanren-bus-'));
    bus = openEmbeddedEventBus(folder);
  });
  afterEach(async () => {
    await bus.close();
    await rm(folder, { recursive: true });
  });

  const subscribe = (onMessage: (message: Message) => void) =>
    bus.subscribe({
      topics: ['tag-changes'],
      group: 'g',
      start: { from: 'committed' },
      onBatch: async (messages) => messages.forEach(onMessage),
      onError: assert.ifError,
    });

  it('loses nothing acknowledged when the publisher is killed', async () => {
    const child = startChild(import.meta.url, './publish-until-killed.js', [folder]);
    await child.reported(200);
    await child.kill();
    const seen = new Set<string>();
    const subscription = await subscribe(({ key }) => seen.add(key));
    await subscription.caughtUp();
    assert.deepEqual(
      child.lines.filter((uid) => !seen.has(uid)),
      [],
    );
  });

  it('takes over from a consumer that was killed, and skips nothing', async () => {
    const child = startChild(import.meta.url, './consume-until-killed.js', [
      JSON.stringify({ kafka: null, folder }),
    ]);
    const uids = Array.from({ length: 2_000 }, (_, i) => `u${i}`);
    const mine = new Set<string>();
    const publish = async (part: readonly string[]) => {
      for (const uid of part) {
        const value: TagChangeMessage = { uid, tagCode: 'rt_page', value: 'x', changeTimeMs: 1 };
        await bus.publish('tag-changes', [{ key: uid, value }]);
      }
    };
    const publishing = publish(uids);
    await child.reported(50);
    const subscription = await subscribe(({ key }) => mine.add(key));
    await delay(100);
    assert.equal(mine.size, 0, 'two consumers of one group were active');
    await child.kill();
    const killedAt = performance.now();
    while (mine.size === 0) {
      assert.ok(performance.now() - killedAt < 3_000, 'nobody took over');
      await delay(10);
    }
    await publishing;
    await subscription.caughtUp();
    const handled = new Set([...child.lines, ...mine]);
    assert.deepEqual(
      uids.filter((uid) => !handled.has(uid)),
      [],
    );
    // What was committed did not come again: at most the batch in hand did.
    const twice = child.lines.filter((uid) => mine.has(uid));
    assert.ok(twice.length <= 3, `${twice.length} messages came twice`);
  });

  it('is woken by another process, without waiting for its timer', async () => {
    const latenciesMs: number[] = [];
    await subscribe(({ value }) => {
      const sentAt = Number((value as TagChangeMessage).value);
      latenciesMs.push(performance.timeOrigin + performance.now() - sentAt);
    });
    const child = startChild(import.meta.url, './publish-until-killed.js', [folder, '20']);
    await child.reported(50);
    await child.kill();
    const median = latenciesMs.sort((a, b) => a - b)[Math.floor(latenciesMs.length / 2)];
    assert.ok(median !== undefined && median < 250, `median ${median} ms`);
  });
});
