import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type BusPlace, describeEventBusContract } from '../event-bus.contract.js';
import type { EventBus, Message } from '../event-bus.js';
import type { TagChangeMessage } from '../messages.js';
import { TOPICS, type TopicName } from '../topics.js';
import { openEmbeddedEventBus } from './embedded-event-bus.js';
import { Log } from './log.js';

async function createPlace(): Promise<BusPlace & { readonly folder: string }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'quanren-bus-'));
  return {
    folder,
    open: async () => openEmbeddedEventBus(folder),
    appendRaw: async (topic, partition, key, text) => {
      const log = new Log(folder);
      const value = text === null ? null : Buffer.from(text);
      await log.transact(() => log.append(topic, partition, [{ key, value }], Date.now()));
      await log.close();
    },
    remove: () => rm(folder, { recursive: true }),
  };
}

describeEventBusContract('the embedded bus', createPlace);

describe('the embedded bus', () => {
  it('removes what is older than the retention, and consumers pass over the gap', async () => {
    const place = await createPlace();
    let nowMs = Date.parse('2026-11-23T02:00:00Z');
    const bus = openEmbeddedEventBus(place.folder, { now: () => nowMs });
    const change = (value: string): { key: string; value: TagChangeMessage } => ({
      key: 'u1',
      value: { uid: 'u1', tagCode: 'rt_page', value, changeTimeMs: 1 },
    });
    const seen: Message[] = [];
    const consume = (group: string, timestampMs: number) =>
      bus.subscribe({
        topics: ['tag-changes'],
        group,
        start: { from: 'time', timestampMs },
        onBatch: async (messages) => {
          seen.push(...messages);
        },
        onError: assert.ifError,
      });
    await bus.publish('tag-changes', [change('first'), change('second')]);
    nowMs += 1;
    await bus.publish('tag-changes', [change('third')]);
    nowMs += TOPICS['tag-changes'].keptMs;
    await bus.publish('tag-changes', [change('fourth')]);

    const subscription = await consume('g', 0);
    await subscription.caughtUp();
    const values = () => seen.map(({ value }) => (value as TagChangeMessage).value);
    assert.deepEqual(values(), ['third', 'fourth']);
    assert.equal(await subscription.lag(), 0);

    nowMs += TOPICS['tag-changes'].keptMs + 1;
    await bus.publish('tag-changes', [change('fifth')]);
    await subscription.caughtUp();
    assert.deepEqual(values(), ['third', 'fourth', 'fifth']);
    seen.length = 0;
    await (await consume('h', 0)).caughtUp();
    assert.deepEqual(values(), ['fifth']);
    await bus.close();
    await place.remove();
  });

  it('keeps a consumer whose lease ran out from moving offsets', async () => {
    const place = await createPlace();
    const publisher = openEmbeddedEventBus(place.folder);
    // An hour ahead: to this bus every lease of the other has run out.
    const later = openEmbeddedEventBus(place.folder, { now: () => Date.now() + 3_600_000 });
    const publish = async (value: string) => {
      const change: TagChangeMessage = { uid: 'u1', tagCode: 'rt_page', value, changeTimeMs: 1 };
      await publisher.publish('tag-changes', [{ key: 'u1', value: change }]);
    };
    const consume = async (bus: EventBus, hold: Promise<void>) => {
      const seen: string[] = [];
      const subscription = await bus.subscribe({
        topics: ['tag-changes'],
        group: 'g',
        start: { from: 'committed' },
        onBatch: async (messages) => {
          seen.push(...messages.map(({ value }) => String((value as TagChangeMessage).value)));
          await hold;
        },
        onError: assert.ifError,
      });
      return { seen, subscription };
    };
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await publish('a');
    const first = await consume(publisher, held);
    while (first.seen.length === 0) await delay(2);
    const second = await consume(later, Promise.resolve());
    await publish('b');
    await second.subscription.caughtUp();
    release();
    await publish('c');
    await second.subscription.caughtUp();
    assert.deepEqual(second.seen, ['a', 'b', 'c']);
    assert.deepEqual(first.seen, ['a']);
    assert.equal(await first.subscription.lag(), 0);
    await publisher.close();
    await later.close();
    await place.remove();
  });

  it('finds within its timer what nobody rang for', async () => {
    const place = await createPlace();
    const bus = await place.open();
    const seen: string[] = [];
    const subscription = await bus.subscribe({
      topics: ['crowd-rules'],
      group: 'g',
      start: { from: 'latest' },
      onBatch: async (messages) => {
        seen.push(...messages.map(({ key }) => key));
      },
      onError: assert.ifError,
    });
    await subscription.caughtUp();
    await place.appendRaw('crowd-rules', 0, 'a', null);
    const appendedAt = performance.now();
    while (seen.length === 0) {
      assert.ok(performance.now() - appendedAt < 3_000);
      await delay(10);
    }
    assert.deepEqual(seen, ['a']);
    await bus.close();
    await place.remove();
  });

  it('a message that several consumers meet, at several starts, is one dead letter for as long as it is met', async () => {
    let nowMs = Date.now();
    const place = await createPlace();
    const bus = openEmbeddedEventBus(place.folder, { now: () => nowMs });
    const consume = async (topic: TopicName, group: string): Promise<Message[]> => {
      const seen: Message[] = [];
      const subscription = await bus.subscribe({
        topics: [topic],
        group,
        start: { from: 'earliest' },
        onBatch: async (messages) => void seen.push(...messages),
        onError: assert.ifError,
      });
      await subscription.caughtUp();
      await subscription.close();
      return seen;
    };
    await place.appendRaw('crowd-rules', 0, 'a', '[');
    await place.appendRaw('crowd-rules', 0, 'b', '[');
    for (const group of ['one', 'two', 'one']) await consume('crowd-rules', group);
    const keys = async (group: string) => (await consume('crowd-rules.dlq', group)).map(({ key }) => key);
    assert.deepEqual(await keys('g1'), ['crowd-rules/0/0', 'crowd-rules/0/1']);
    await bus.publish('crowd-rules', [{ key: 'b', value: null }]);
    nowMs += 15 * 24 * 3_600_000;
    await consume('crowd-rules', 'three');
    assert.deepEqual(await keys('g2'), ['crowd-rules/0/0']);
    await bus.close();
    await place.remove();
  });

  it('counts dead letters', async () => {
    const place = await createPlace();
    const counted: string[] = [];
    const bus = openEmbeddedEventBus(place.folder, {
      onDeadLetter: (topic, reason) => counted.push(`${topic}: ${reason}`),
    });
    await place.appendRaw('crowd-rules', 0, 'a', '[');
    const subscription = await bus.subscribe({
      topics: ['crowd-rules'],
      group: 'g',
      start: { from: 'earliest' },
      onBatch: () => assert.fail('a bad message was delivered'),
      onError: assert.ifError,
    });
    await subscription.caughtUp();
    assert.deepEqual(counted, ['crowd-rules: the value is not JSON']);
    await bus.close();
    await place.remove();
  });
});
