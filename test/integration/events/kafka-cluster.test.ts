/** The bus over a Kafka of three brokers, of which one is killed while changes flow: what was acknowledged is there, for everyone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import type { EventBus, StartPosition } from '../../../events/event-bus.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { createKafkaPlace, type KafkaPlace } from '../../support/kafka.js';
import { FLOW_TOPIC, keepPublishing, Seen } from '../../support/kafka-flow.js';
import { until } from '../../support/until.js';

const BROKERS = 3;
/** Anybody, and the holder of a role. */
const PUBLISHERS = ['a', 'b'] as const;
const WITHIN_MS = 30_000;
/** The session of the broker (4 s), a vote, and the waits of the clients; of a shared group, its own session too. */
const BACK_WITHIN_MS = 20_000;

describe('the bus over three brokers', () => {
  let kafka: TestEngine;
  let place: KafkaPlace;
  let admin: Admin;
  const buses: EventBus[] = [];

  before(async () => {
    // Whoever leads it is the coordinator of all groups.
    const settings = { 'offsets.topic.num.partitions': '1' };
    kafka = await startTestEngine('kafka', { brokers: BROKERS, settings });
    place = createKafkaPlace(kafka);
    admin = new Kafka({ brokers: [...place.connection.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
  });
  after(async () => {
    for (const bus of buses) await bus.close();
    await admin?.disconnect();
    await kafka?.remove();
  });

  async function open(): Promise<EventBus> {
    const bus = await place.open();
    buses.push(bus);
    return bus;
  }

  /** By a bus of its own, as each gateway has one: what it has seen of each publisher. */
  async function consume(group: string, start: StartPosition): Promise<readonly Seen[]> {
    const seen = PUBLISHERS.map((publisher) => new Seen(publisher));
    const bus = await open();
    await bus.subscribe({
      topics: [FLOW_TOPIC],
      group,
      start,
      onBatch: async (messages) => {
        for (const each of seen) each.take(messages);
      },
      onError: () => undefined,
    });
    return seen;
  }

  /** The process that leads the topic's first partition. */
  async function leaderOf(topic: string): Promise<string> {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const leader = topics[0]?.partitions.find(({ partitionId }) => partitionId === 0)?.leader;
    assert.ok(leader !== undefined && leader > 0, `${topic} has no leader`);
    return `kafka-${leader}`;
  }

  /** Else the next kill might leave one replica, which takes nothing. */
  async function areInSync(topic: string): Promise<boolean> {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    return topics.every(({ partitions }) => partitions.every(({ isr }) => isr.length === BROKERS));
  }

  it('loses nothing acknowledged and goes on with two of them, whichever is killed', async (t) => {
    const consumers = [
      await consume('gateway-1', { from: 'earliest' }),
      await consume('gateway-2', { from: 'earliest' }),
      await consume('shared', { from: 'committed' }),
    ];
    const [anybody, holder] = [await open(), await open()];
    const publishers = [
      keepPublishing(async () => (topic, messages) => anybody.publish(topic, messages), PUBLISHERS[0]),
      keepPublishing(() => holder.claim('a role'), PUBLISHERS[1]),
    ];
    const published = () => publishers.map(({ acknowledged }) => acknowledged.length);
    const allPublish = async (more: number) => {
      const before = published();
      await until(
        'all publish',
        () => published().every((now, i) => now >= (before[i] ?? 0) + more),
        WITHIN_MS,
      );
    };
    const allSee = (counts: readonly number[]) =>
      consumers.every((seen) => seen.every(({ newest }, i) => newest >= (counts[i] ?? 0) - 1));
    try {
      const led = {
        'the changes': `${place.connection.prefix}${FLOW_TOPIC}`,
        'the groups': '__consumer_offsets',
      };
      for (const [what, topic] of Object.entries(led)) {
        // Whoever was killed before is back.
        await kafka.engine.start();
        await until('all replicas are there', () => areInSync(topic), WITHIN_MS);
        await allPublish(20);
        const victim = await leaderOf(topic);
        const killedMs = performance.now();
        await kafka.engine.process(victim).kill();
        const then = published();
        await until(
          'all see what is published without it',
          () => allSee(then.map((count) => count + 5)),
          BACK_WITHIN_MS,
        );
        const tookMs = Math.round(performance.now() - killedMs);
        t.diagnostic(`${victim}, which leads ${what}, is killed: all goes on after ${tookMs} ms`);
      }
    } finally {
      for (const publisher of publishers) await publisher.stop();
    }
    await until('all of it', () => allSee(published()), WITHIN_MS);
    for (const seen of consumers) {
      for (const [i, each] of seen.entries()) each.check(publishers[i]?.acknowledged ?? []);
    }
    t.diagnostic(`${published().join(' and ')} calls of 8 changes were acknowledged`);
  });
});
