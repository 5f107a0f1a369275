/** What every EventBus must do; the tests of each implementation call it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { EventBus, Message, StartPosition, Subscription } from './event-bus.js';
import type { CrowdRuleMessage, DeadLetterMessage, MembershipMessage, TagChangeMessage } from './messages.js';
import { TOPICS, type TopicName } from './topics.js';

/** A place for a bus's data. `open` may be called again, also while another bus is open on it. */
export interface BusPlace {
  open(): Promise<EventBus>;
  /** Stores a message without any check, as a foreign writer could. `text` null: without a value. */
  appendRaw(topic: TopicName, partition: number, key: string, text: string | null): Promise<void>;
  /** Removes everything. */
  remove(): Promise<void>;
}

const TIMEOUT_MS = 20_000;

const tagChange = (uid: string, value: string): { key: string; value: TagChangeMessage } => ({
  key: uid,
  value: { uid, tagCode: 'rt_page', value, changeTimeMs: 1 },
});

const crowdRule = (crowdCode: string, ruleVersion: number): { key: string; value: CrowdRuleMessage } => ({
  key: crowdCode,
  value: { crowdCode, status: 'active', ruleVersion, rule: '{"tag_code":"age","op":">","value":18}' },
});

const tagValues = (messages: readonly Message[]) =>
  messages.map(({ value }) => (value as TagChangeMessage).value);

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `timed out waiting for ${what}`);
    await delay(5);
  }
}

export function describeEventBusContract(name: string, createPlace: () => Promise<BusPlace>): void {
  describe(`${name} keeps the contract of EventBus`, () => {
    let place: BusPlace;
    let bus: EventBus;

    beforeEach(async () => {
      place = await createPlace();
      bus = await place.open();
    });
    afterEach(async () => {
      await bus.close();
      await place.remove();
    });

    /** Subscribes and keeps what comes. Errors fail the test unless `onError` takes them. */
    async function consume(
      topic: TopicName,
      group: string,
      start: StartPosition,
      more: {
        maxBatch?: number;
        onBatch?: (messages: readonly Message[]) => Promise<void>;
        onError?: (error: unknown) => void;
        on?: EventBus;
      } = {},
    ): Promise<{ seen: Message[]; subscription: Subscription }> {
      const seen: Message[] = [];
      const subscription = await (more.on ?? bus).subscribe({
        topics: [topic],
        group,
        start,
        onBatch: async (messages) => {
          await more.onBatch?.(messages);
          seen.push(...messages);
        },
        onError:
          more.onError ??
          ((error) => {
            throw error;
          }),
        ...(more.maxBatch === undefined ? {} : { maxBatch: more.maxBatch }),
      });
      return { seen, subscription };
    }

    it('delivers every message with its key, value, offset and time', async () => {
      const before = Date.now();
      await bus.publish('tag-changes', [tagChange('u1', 'a'), tagChange('用户', 'b'), tagChange('u1', 'c')]);
      const { seen, subscription } = await consume('tag-changes', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.deepEqual(tagValues(seen).sort(), ['a', 'b', 'c']);
      const [first, second] = seen.filter(({ key }) => key === 'u1');
      assert.ok(first !== undefined && second !== undefined);
      assert.deepEqual(first.value, tagChange('u1', 'a').value);
      assert.equal(first.topic, 'tag-changes');
      assert.equal(first.partition, second.partition);
      assert.ok(first.offset < second.offset);
      assert.ok(first.timestampMs >= before - 1_000 && first.timestampMs <= Date.now() + 1_000);
    });

    it('delivers what is published while it is subscribed', async () => {
      const { seen } = await consume('tag-changes', 'g', { from: 'earliest' });
      for (const value of ['a', 'b', 'c']) {
        await bus.publish('tag-changes', [tagChange('u1', value)]);
        await until(() => seen.length > 0 && tagValues(seen).at(-1) === value, value);
      }
      assert.deepEqual(tagValues(seen), ['a', 'b', 'c']);
    });

    it('keeps the order of each key, whatever is published, in whatever calls', async () => {
      const calls = fc.array(
        fc.array(fc.tuple(fc.constantFrom('u1', 'u2', '用户', '😀', 'x'), fc.string({ maxLength: 5 })), {
          maxLength: 8,
        }),
        { maxLength: 8 },
      );
      let round = 0;
      await fc.assert(
        fc.asyncProperty(calls, fc.integer({ min: 1, max: 20 }), async (batches, maxBatch) => {
          round += 1;
          const uidOf = (key: string) => `${key}-${round}`;
          const { seen, subscription } = await consume(
            'tag-changes',
            `g${round}`,
            { from: 'latest' },
            { maxBatch },
          );
          await Promise.all(
            batches.map((batch) =>
              bus.publish(
                'tag-changes',
                batch.map(([key, value]) => tagChange(uidOf(key), value)),
              ),
            ),
          );
          await subscription.caughtUp();
          await subscription.close();
          const published = batches.flat();
          assert.equal(seen.length, published.length);
          for (const key of new Set(published.map(([each]) => each))) {
            assert.deepEqual(
              tagValues(seen.filter((message) => message.key === uidOf(key))),
              published.filter(([each]) => each === key).map(([, value]) => value),
            );
          }
        }),
        { numRuns: 25 },
      );
    });

    it('gives at most maxBatch messages at once', async () => {
      await bus.publish(
        'tag-changes',
        Array.from({ length: 25 }, (_, i) => tagChange(`u${i}`, 'x')),
      );
      const sizes: number[] = [];
      const { subscription } = await consume(
        'tag-changes',
        'g',
        { from: 'earliest' },
        {
          maxBatch: 4,
          onBatch: async (messages) => {
            sizes.push(messages.length);
          },
        },
      );
      await subscription.caughtUp();
      assert.ok(sizes.every((size) => size >= 1 && size <= 4));
      assert.equal(
        sizes.reduce((sum, size) => sum + size, 0),
        25,
      );
    });

    it('starts at latest, at a time, or at the earliest message', async () => {
      await bus.publish('tag-changes', [tagChange('u1', 'old')]);
      await delay(20);
      const middle = Date.now();
      await delay(20);
      await bus.publish('tag-changes', [tagChange('u1', 'middle')]);
      const latest = await consume('tag-changes', 'g1', { from: 'latest' });
      const time = await consume('tag-changes', 'g2', { from: 'time', timestampMs: middle });
      const earliest = await consume('tag-changes', 'g3', { from: 'earliest' });
      const future = await consume('tag-changes', 'g4', { from: 'time', timestampMs: Date.now() + 60_000 });
      await bus.publish('tag-changes', [tagChange('u1', 'new')]);
      for (const { subscription } of [latest, time, earliest, future]) await subscription.caughtUp();
      assert.deepEqual(tagValues(latest.seen), ['new']);
      assert.deepEqual(tagValues(time.seen), ['middle', 'new']);
      assert.deepEqual(tagValues(earliest.seen), ['old', 'middle', 'new']);
      assert.deepEqual(tagValues(future.seen), ['new']);
    });

    it('goes on from the committed offset, over a restart too', async () => {
      await bus.publish('tag-changes', [tagChange('u1', 'a')]);
      const first = await consume('tag-changes', 'g', { from: 'committed' });
      await first.subscription.caughtUp();
      await first.subscription.close();
      assert.deepEqual(tagValues(first.seen), ['a']);
      await bus.publish('tag-changes', [tagChange('u1', 'b')]);
      await bus.close();
      bus = await place.open();
      const second = await consume('tag-changes', 'g', { from: 'committed' });
      await second.subscription.caughtUp();
      assert.deepEqual(tagValues(second.seen), ['b']);
      const others = await consume('tag-changes', 'other', { from: 'committed' });
      await others.subscription.caughtUp();
      assert.deepEqual(tagValues(others.seen), ['a', 'b']);
    });

    it('gives a batch again when it was rejected, in order, and tells of each time', async () => {
      await bus.publish('tag-changes', [tagChange('u1', 'a'), tagChange('u1', 'b')]);
      const errors: unknown[] = [];
      const attempts: (string | null)[][] = [];
      const { seen, subscription } = await consume(
        'tag-changes',
        'g',
        { from: 'earliest' },
        {
          onBatch: async (messages) => {
            attempts.push(tagValues(messages));
            if (attempts.length < 3) throw new Error(`no ${attempts.length}`);
          },
          onError: (error) => errors.push(error),
        },
      );
      await subscription.caughtUp();
      assert.deepEqual(tagValues(seen), ['a', 'b']);
      assert.equal(attempts.length, 3);
      assert.deepEqual(
        errors.map((error) => (error as Error).message),
        ['no 1', 'no 2'],
      );
    });

    it('does not commit what was rejected when it is closed', async () => {
      await bus.publish('tag-changes', [tagChange('u1', 'a')]);
      let attempts = 0;
      const failing = await consume(
        'tag-changes',
        'g',
        { from: 'committed' },
        {
          onBatch: async () => {
            attempts += 1;
            throw new Error('no');
          },
          onError: () => undefined,
        },
      );
      await until(() => attempts > 0, 'an attempt');
      await failing.subscription.close();
      const { seen, subscription } = await consume('tag-changes', 'g', { from: 'committed' });
      await subscription.caughtUp();
      assert.deepEqual(tagValues(seen), ['a']);
    });

    it('finishes and commits the batch in hand before close resolves', async () => {
      await bus.publish('tag-changes', [tagChange('u1', 'a')]);
      let started = false;
      const slow = await consume(
        'tag-changes',
        'g',
        { from: 'committed' },
        {
          onBatch: async () => {
            started = true;
            await delay(100);
          },
        },
      );
      await until(() => started, 'the batch');
      await slow.subscription.close();
      assert.deepEqual(tagValues(slow.seen), ['a']);
      const again = await consume('tag-changes', 'g', { from: 'committed' });
      await again.subscription.caughtUp();
      assert.deepEqual(again.seen, []);
    });

    it('lets each group see everything', async () => {
      const one = await consume('tag-changes', 'one', { from: 'earliest' });
      const two = await consume('tag-changes', 'two', { from: 'earliest' });
      await bus.publish('tag-changes', [tagChange('u1', 'a'), tagChange('u2', 'b')]);
      await one.subscription.caughtUp();
      await two.subscription.caughtUp();
      assert.deepEqual(tagValues(one.seen).sort(), ['a', 'b']);
      assert.deepEqual(tagValues(two.seen).sort(), ['a', 'b']);
    });

    it('lets the consumers of one group, on two buses, share the work and take over', async () => {
      const otherBus = await place.open();
      const publishedUids = Array.from({ length: 40 }, (_, i) => `u${i}`);
      const one = await consume('tag-changes', 'g', { from: 'committed' });
      const two = await consume('tag-changes', 'g', { from: 'committed' }, { on: otherBus });
      await bus.publish(
        'tag-changes',
        publishedUids.slice(0, 20).map((uid) => tagChange(uid, 'x')),
      );
      const seenUids = () => new Set([...one.seen, ...two.seen].map(({ key }) => key));
      await until(() => seenUids().size === 20, 'the first half');
      await one.subscription.close();
      await otherBus.publish(
        'tag-changes',
        publishedUids.slice(20).map((uid) => tagChange(uid, 'x')),
      );
      await two.subscription.caughtUp();
      assert.deepEqual([...seenUids()].sort(), [...publishedUids].sort());
      await otherBus.close();
    });

    it('knows its lag', async () => {
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      const { seen, subscription } = await consume(
        'tag-changes',
        'g',
        { from: 'earliest' },
        { onBatch: () => released },
      );
      await bus.publish('tag-changes', [tagChange('u1', 'a'), tagChange('u1', 'b'), tagChange('u1', 'c')]);
      assert.equal(await subscription.lag(), 3);
      release();
      await subscription.caughtUp();
      assert.equal(seen.length, 3);
      assert.equal(await subscription.lag(), 0);
    });

    it('is caught up at once where there is nothing', async () => {
      const { subscription } = await consume('activity-triggers', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.equal(await subscription.lag(), 0);
    });

    it('broadcasts to every partition, behind what was published before', async () => {
      const uids = Array.from({ length: 50 }, (_, i) => `u${i}`);
      const changed = (uid: string): MembershipMessage => ({
        type: 'membership-changed',
        uid,
        crowdCode: 'a',
        kind: 'enter',
        changeTimeMs: 1,
      });
      await bus.publish(
        'membership-changes',
        uids.map((uid) => ({ key: uid, value: changed(uid) })),
      );
      const heartbeat: MembershipMessage = { type: 'heartbeat', sentAtMs: 2 };
      await bus.broadcast('membership-changes', { key: 'heartbeat', value: heartbeat });
      const { seen, subscription } = await consume('membership-changes', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      const partitions = TOPICS['membership-changes'].partitions;
      for (let partition = 0; partition < partitions; partition += 1) {
        const types = seen
          .filter((message) => message.partition === partition)
          .map(({ value }) => (value as MembershipMessage).type);
        assert.ok(types.length > 1);
        assert.equal(types.indexOf('heartbeat'), types.length - 1);
      }
    });

    it('refuses the whole call for a message that its topic does not take', async () => {
      const good = tagChange('u1', 'a');
      const bad = [
        { key: 'u1', value: { ...good.value, tagCode: 'Not A Code' } },
        { key: 'u1', value: { uid: 'u1' } },
        { key: 'u1', value: 'text' },
        { key: 'u1', value: null },
        { key: 'u1', value: undefined },
        { ...good, key: '' },
        { ...good, key: 'x'.repeat(513) },
        { ...good, key: 'a\0b' },
        { ...good, key: '\ud83d' },
      ];
      for (const message of bad) {
        await assert.rejects(bus.publish('tag-changes', [good, message]), { code: 'bad_request' });
        await assert.rejects(bus.broadcast('tag-changes', message), { code: 'bad_request' });
      }
      const { seen, subscription } = await consume('tag-changes', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.deepEqual(seen, []);
    });

    it('refuses what an earlier claimant of a role sends, on two buses, and nobody else', async () => {
      const otherBus = await place.open();
      const first = await bus.claim('a role');
      await first('tag-changes', [tagChange('u1', 'first')]);
      const second = await otherBus.claim('a role');
      await assert.rejects(first('tag-changes', [tagChange('u1', 'late')]), { code: 'conflict' });
      const other = await bus.claim('another role');
      await second('tag-changes', [tagChange('u1', 'second')]);
      await assert.rejects(first('tag-changes', [tagChange('u1', 'late')]), { code: 'conflict' });
      await other('tag-changes', [tagChange('u1', 'other')]);
      await bus.publish('tag-changes', [tagChange('u1', 'anybody')]);
      await otherBus.close();
      await bus.close();
      bus = await place.open();
      const third = await bus.claim('a role');
      await third('tag-changes', [tagChange('u1', 'third')]);
      const { seen, subscription } = await consume('tag-changes', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.deepEqual(tagValues(seen), ['first', 'second', 'other', 'anybody', 'third']);
    });

    it('keeps the order of claims and messages when both are under way at once', async () => {
      let claimed = 0;
      const claims = await Promise.all(
        Array.from({ length: 5 }, async (_, claimant) => {
          await delay(2 * claimant);
          const publish = await bus.claim('a role');
          claimed += 1;
          // Until the last has claimed, so that each has another come in between, however long a claim takes.
          for (let i = 0; i < 10 || claimed < 5; i += 1)
            await publish('tag-changes', [tagChange('u1', `${claimant}`)]);
        }).map((work) =>
          work.then(
            () => 'done',
            (error: { code?: string }) => error.code,
          ),
        ),
      );
      assert.deepEqual(claims.toSorted(), ['conflict', 'conflict', 'conflict', 'conflict', 'done']);
      const { seen, subscription } = await consume('tag-changes', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      const claimants = tagValues(seen);
      const changes = claimants.filter((claimant, i) => claimant !== claimants[i - 1]);
      assert.equal(new Set(changes).size, changes.length, `a claimant came back: ${claimants.join(' ')}`);
    });

    it('sends a stored message that breaks its schema to the dead letters, and goes on', async () => {
      await bus.publish('crowd-rules', [crowdRule('a', 1)]);
      await place.appendRaw('crowd-rules', 0, 'b', '{"crowdCode":"b"}');
      await place.appendRaw('crowd-rules', 0, 'c', 'not JSON {');
      await bus.publish('crowd-rules', [crowdRule('d', 1)]);
      const { seen, subscription } = await consume('crowd-rules', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.deepEqual(
        seen.map(({ key }) => key),
        ['a', 'd'],
      );
      const letters = await consume('crowd-rules.dlq', 'g', { from: 'earliest' });
      await letters.subscription.caughtUp();
      const [first, second] = letters.seen.map(({ value }) => value as DeadLetterMessage);
      assert.equal(letters.seen.length, 2);
      assert.deepEqual(
        { ...first, reason: '' },
        {
          topic: 'crowd-rules',
          partition: 0,
          offset: '1',
          key: 'b',
          value: '{"crowdCode":"b"}',
          reason: '',
        },
      );
      assert.match(first?.reason ?? '', /status/);
      assert.deepEqual(
        letters.seen.map(({ key }) => key),
        ['crowd-rules/0/1', 'crowd-rules/0/2'],
      );
      assert.equal(second?.value, 'not JSON {');
      assert.match(second?.reason ?? '', /JSON/);
    });

    it('leaves a long value out of the dead letter', async () => {
      await place.appendRaw('crowd-rules', 0, 'a', `"${'x'.repeat(3 * 1024 * 1024)}"`);
      const { seen, subscription } = await consume('crowd-rules', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.deepEqual(seen, []);
      const letters = await consume('crowd-rules.dlq', 'g', { from: 'earliest' });
      await letters.subscription.caughtUp();
      const [letter] = letters.seen.map(({ value }) => value as DeadLetterMessage);
      assert.equal(letter?.value, null);
      assert.match(letter?.reason ?? '', /3145730 bytes/);
    });

    it('takes long messages, and refuses those that are too long', async () => {
      const rule = (length: number) => ({
        key: 'a',
        value: { ...crowdRule('a', 1).value, rule: 'x'.repeat(length) },
      });
      await assert.rejects(bus.publish('crowd-rules', [rule(16 * 1024 * 1024)]), { code: 'too_large' });
      await bus.publish('crowd-rules', [rule(15 * 1024 * 1024)]);
      const { seen, subscription } = await consume('crowd-rules', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      assert.deepEqual(
        seen.map(({ value }) => value),
        [rule(15 * 1024 * 1024).value],
      );
    });

    it('keeps the newest message of each key on a compacted topic, tombstones too', async () => {
      for (const version of [1, 2, 3]) {
        await bus.publish('crowd-rules', [crowdRule('a', version), crowdRule('b', version)]);
      }
      await bus.publish('crowd-rules', [{ key: 'b', value: null }]);
      await bus.publish('crowd-rules', [crowdRule('c', 1)]);
      const { seen, subscription } = await consume('crowd-rules', 'g', { from: 'earliest' });
      await subscription.caughtUp();
      const newest = new Map(seen.map(({ key, value }) => [key, value as CrowdRuleMessage | null]));
      assert.equal(newest.get('a')?.ruleVersion, 3);
      assert.equal(newest.get('b'), null);
      assert.equal(newest.get('c')?.ruleVersion, 1);
    });

    it('consumes several topics in one subscription', async () => {
      await bus.publish('crowd-rules', [crowdRule('a', 1)]);
      await bus.publish('tag-changes', [tagChange('u1', 'x')]);
      const topics: TopicName[] = [];
      const subscription = await bus.subscribe({
        topics: ['crowd-rules', 'tag-changes'],
        group: 'g',
        start: { from: 'earliest' },
        onBatch: async (messages) => {
          topics.push(...messages.map(({ topic }) => topic));
        },
        onError: (error) => {
          throw error;
        },
      });
      await subscription.caughtUp();
      assert.deepEqual(topics.sort(), ['crowd-rules', 'tag-changes']);
    });

    it('rejects with unavailable after it was closed', async () => {
      const { subscription } = await consume('tag-changes', 'g', { from: 'earliest' });
      await bus.close();
      await bus.close();
      await assert.rejects(bus.publish('tag-changes', [tagChange('u1', 'a')]), { code: 'unavailable' });
      await assert.rejects(subscription.caughtUp(), { code: 'unavailable' });
      bus = await place.open();
    });
  });
}
