/** The bus over a broker that dies, sleeps, and comes back. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { EventBus, Publish, StartPosition } from '../../../events/event-bus.js';
import { runLap } from '../../../events/kafka/consumer-lap.js';
import { createKafkaClient } from '../../../events/kafka/kafka-client.js';
import { openKafkaEventBus } from '../../../events/kafka/kafka-event-bus.js';
import { Positions } from '../../../events/kafka/positions.js';
import type { TagChangeMessage } from '../../../events/messages.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { createKafkaPlace, type KafkaPlace } from '../../support/kafka.js';
import { FLOW_TOPIC, keepPublishing, Seen } from '../../support/kafka-flow.js';
import { until } from '../../support/until.js';
import { startChild } from '../child.js';

const WITHIN_MS = 30_000;
/** From the moment when the broker answers again. */
const BACK_WITHIN_MS = 10_000;
const SESSION_MS = 6_000;

const change = (uid: string, value: string): { key: string; value: TagChangeMessage } => ({
  key: uid,
  value: { uid, tagCode: 'rt_page', value, changeTimeMs: 1 },
});

describe('the bus over a broker that is away for a while', () => {
  let kafka: TestEngine;
  let place: KafkaPlace;
  let bus: EventBus;
  const letters: string[] = [];
  before(async () => {
    kafka = await startTestEngine('kafka');
  });
  after(() => kafka.remove());
  beforeEach(async () => {
    place = createKafkaPlace(kafka, { onDeadLetter: (topic, reason) => letters.push(`${topic}: ${reason}`) });
    bus = await place.open();
  });
  afterEach(async () => {
    await bus.close();
    await place.remove();
  });

  async function consume(group: string, start: StartPosition): Promise<Seen> {
    const seen = new Seen();
    await bus.subscribe({
      topics: [FLOW_TOPIC],
      group,
      start,
      onBatch: async (messages) => seen.take(messages),
      onError: (error) => seen.errors.push(error),
    });
    return seen;
  }

  /** Kills the broker under load, and waits for everybody to be back. */
  async function killAgain(
    t: { diagnostic: (text: string) => void },
    times: number,
    publish: () => Promise<Publish>,
  ): Promise<void> {
    const alone = await consume('alone', { from: 'earliest' });
    const shared = await consume('shared', { from: 'committed' });
    const consumers = [alone, shared];
    const publisher = keepPublishing(publish);
    for (let round = 0; round < times; round += 1) {
      const start = publisher.acknowledged.length;
      await until('publishing', () => publisher.acknowledged.length > start + 50, WITHIN_MS);
      await until('consuming', () => consumers.every(({ newest }) => newest > start), WITHIN_MS);
      await kafka.engine.process('kafka').kill();
      await delay(1_000);
      await kafka.engine.start();
      const backAt = performance.now();
      const before = publisher.acknowledged.length;
      await until('publishing again', () => publisher.acknowledged.length > before + 1, BACK_WITHIN_MS);
      const published = Math.round(performance.now() - backAt);
      const since = () => Math.round(performance.now() - backAt);
      await until('consuming again', () => alone.newest > before, BACK_WITHIN_MS);
      const read = since();
      // The group may wait until the session of the consumer before has run out.
      await until('a shared group again', () => shared.newest > before, BACK_WITHIN_MS + SESSION_MS);
      t.diagnostic(
        `publishes after ${published} ms, reads after ${read} ms, in a shared group after ${since()} ms`,
      );
    }
    await publisher.stop();
    const last = publisher.acknowledged.length - 1;
    await until('all of it', () => consumers.every(({ newest }) => newest >= last), WITHIN_MS);
    for (const seen of consumers) {
      seen.check(publisher.acknowledged);
      assert.ok(seen.errors.every((error) => (error as { code?: string }).code === 'unavailable'));
    }
    t.diagnostic(
      `${publisher.acknowledged.length} calls acknowledged; read twice: ${consumers.map(({ repeated }) => repeated)}`,
    );
  }

  it('loses nothing acknowledged, keeps the order and comes back by itself when the broker is killed', (t) =>
    killAgain(t, 2, async () => (topic, messages) => bus.publish(topic, messages)));

  it('does so for the holder of a role too, which claims it anew after a failure', (t) =>
    killAgain(t, 1, () => bus.claim('a role')));

  it('comes back by itself after the broker slept longer than a session', async () => {
    const consumers = [
      await consume('alone', { from: 'earliest' }),
      await consume('shared', { from: 'committed' }),
    ];
    const publisher = keepPublishing(async () => (topic, messages) => bus.publish(topic, messages));
    await until('consuming', () => consumers.every(({ newest }) => newest > 20), WITHIN_MS);
    await kafka.engine.process('kafka').pause();
    await delay(12_000);
    await kafka.engine.process('kafka').resume();
    const before = publisher.acknowledged.length;
    await until('publishing again', () => publisher.acknowledged.length > before + 10, 2 * BACK_WITHIN_MS);
    await until(
      'consuming again',
      () => consumers.every(({ newest }) => newest > before),
      2 * BACK_WITHIN_MS,
    );
    await publisher.stop();
    const last = publisher.acknowledged.length - 1;
    await until('all of it', () => consumers.every(({ newest }) => newest >= last), WITHIN_MS);
    for (const seen of consumers) seen.check(publisher.acknowledged);
  });

  it('shares a group with a process, and takes over when that is killed', async () => {
    await bus.publish('tag-changes', [change('first', 'x')]);
    const options = JSON.stringify({ kafka: place.connection, folder: '' });
    const child = startChild(import.meta.url, './consume-until-killed.js', [options]);
    await child.reported(1);
    const mine = new Set<string>();
    await bus.subscribe({
      topics: ['tag-changes'],
      group: 'g',
      start: { from: 'committed' },
      onBatch: async (messages) => {
        for (const { key } of messages) mine.add(key);
      },
      onError: assert.ifError,
    });
    const published = ['first'];
    const publish = async () => {
      const uid = `uid-${published.length}`;
      await bus.publish('tag-changes', [change(uid, 'x')]);
      published.push(uid);
    };
    const areAllHandled = () => {
      const handled = new Set([...child.lines, ...mine]);
      return published.every((uid) => handled.has(uid));
    };
    try {
      // Both have a part once the group has been shared out anew.
      while (mine.size < 20) await publish();
      await until('sharing', areAllHandled, WITHIN_MS);
      assert.ok(child.lines.length > 20);
    } finally {
      await child.kill();
    }
    for (let i = 0; i < 200; i += 1) await publish();
    await until('taking over', areAllHandled, SESSION_MS + BACK_WITHIN_MS);
  });

  it('counts what breaks its schema', async () => {
    letters.length = 0;
    await bus.publish('crowd-rules', [{ key: 'a', value: null }]);
    await place.appendRaw('crowd-rules', 0, 'b', '[');
    const subscription = await bus.subscribe({
      topics: ['crowd-rules'],
      group: 'g',
      start: { from: 'earliest' },
      onBatch: async () => undefined,
      onError: assert.ifError,
    });
    await subscription.caughtUp();
    assert.deepEqual(letters, ['crowd-rules: the value is not JSON']);
  });

  /** Nothing of it works, and says so in time. */
  async function assertAway(broker: string): Promise<void> {
    const connection = { ...place.connection, brokers: [broker] };
    const away = openKafkaEventBus(connection);
    const askedAt = performance.now();
    await Promise.all([
      assert.rejects(away.publish('tag-changes', [change('u1', 'a')]), { code: 'unavailable' }),
      assert.rejects(away.claim('a role'), { code: 'unavailable' }),
      assert.rejects(
        away.subscribe({
          topics: ['tag-changes'],
          group: 'g',
          start: { from: 'latest' },
          onBatch: async () => undefined,
          onError: () => undefined,
        }),
        { code: 'unavailable' },
      ),
      // A consumer that was under way does not get further either.
      assert.rejects(
        runLap({
          open: (until) => createKafkaClient(connection, until),
          topics: ['tag-changes'],
          nameOf: (topic) => topic,
          groupId: 'g',
          positions: new Positions([['tag-changes', [0n]]]),
          maxBatch: 1,
          handle: async () => undefined,
          onError: () => undefined,
          onJoin: () => assert.fail('it joined'),
          stop: new AbortController().signal,
        }),
      ),
    ]);
    await away.close();
    assert.ok(performance.now() - askedAt < 25_000);
  }

  it('says in time that there is no broker, and closes', () => assertAway('127.0.0.1:1'));

  it('says in time that a broker takes connections and does not answer, and closes', async () => {
    const connections = new Set<Socket>();
    const mute = createServer((socket) => connections.add(socket.resume().on('error', () => undefined)));
    mute.listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const address = mute.address();
    await assertAway(`127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
    await until('no connection is left', () => [...connections].every(({ closed }) => closed), 1_000);
    mute.close();
  });

  it('refuses topics that were made otherwise than it needs them', async () => {
    const admin = new Kafka({ brokers: [...place.connection.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const name = `${place.connection.prefix}crowd-rules`;
    await admin.createTopics({ topics: [{ topic: name, numPartitions: 2 }] });
    const subscribe = () =>
      bus.subscribe({
        topics: ['crowd-rules'],
        group: 'g',
        start: { from: 'earliest' },
        onBatch: async () => undefined,
        onError: () => undefined,
      });
    await assert.rejects(subscribe(), { code: 'set_up', message: /must have 1 partitions, not 2/ });
    await admin.deleteTopics({ topics: [name] });
    await admin.createTopics({ topics: [{ topic: name, numPartitions: 1 }] });
    await assert.rejects(subscribe(), { code: 'set_up', message: /cleanup\.policy compact, not delete/ });
    await admin.disconnect();
  });
});
