/** The bus over a Kafka of three brokers, of which one is killed while changes flow: what was acknowledged is there, for everyone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import type { EventBus, StartPosition } from '../../../events/event-bus.js';
import { startHeartbeat } from '../../../events/heartbeat.js';
import { crowdRule } from '../../support/crowd-rule.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { createKafkaPlace, type KafkaPlace } from '../../support/kafka.js';
import { FLOW_TOPIC, keepPublishing, Seen } from '../../support/kafka-flow.js';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from '../gateway/gateway-process.js';

const BROKERS = 3;
/** Anybody, and the holder of a role. */
const PUBLISHERS = ['a', 'b'] as const;
const WITHIN_MS = 30_000;
/** The session of the broker (4 s), a vote, and the waits of the clients; of a shared group, its own session too. */
const BACK_WITHIN_MS = 20_000;

/** Whether it was acknowledged. */
const published = (publishing: Promise<void>): Promise<boolean> =>
  publishing.then(
    () => true,
    () => false,
  );

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

  it('a gateway over three brokers answers for everyone as he is, also who changed while one of them was away', async (t) => {
    await kafka.engine.start();
    const { brokers, prefix } = place.connection;
    const topic = `${prefix}${FLOW_TOPIC}`;
    await until('all replicas are there', () => areInSync(topic), WITHIN_MS);
    const data = new DataFolder();
    const bus = await open();
    const stopBeats = startHeartbeat(bus, { everyMs: 200, onError: () => undefined });
    const environment = { QUANREN_KAFKA_BROKERS: brokers.join(), QUANREN_KAFKA_PREFIX: prefix };
    let gateway: GatewayProcess | undefined;
    try {
      await bus.publish('crowd-rules', [crowdRule('vip')]);
      gateway = await (await GatewayProcess.start(data, environment)).ready();
      const { url } = gateway;
      const uids = Array.from({ length: 40 }, (_, i) => `changing-${i}`);
      const change = async (uid: string, kind: 'enter' | 'leave') => {
        const changed = { uid, crowdCode: 'vip', kind, changeTimeMs: Date.now() };
        await data.memberships.apply([changed], Date.now());
        const value = { type: 'membership-changed', ...changed };
        await bus.publish(FLOW_TOPIC, [{ key: uid, value }]);
      };
      /** So often that each of two workers answers for each user. */
      const allAnswer = async (userCrowds: readonly string[]) => {
        for (const uid of [...uids, ...uids, ...uids, ...uids]) {
          const response = await fetch(`${url}/match?uid=${uid}`, { headers: { connection: 'close' } });
          const answer = (await response.json()) as { status?: string };
          if (JSON.stringify(answer) !== JSON.stringify({ uid, userCrowds, status: 'fresh' })) return false;
        }
        return true;
      };
      for (const uid of uids) await change(uid, 'enter');
      await until('all are members, and cached', () => allAnswer(['vip']), WITHIN_MS);
      const [victim, killedMs] = [await leaderOf(topic), performance.now()];
      await kafka.engine.process(victim).kill();
      for (const uid of uids)
        await until('the bus takes it', () => published(change(uid, 'leave')), BACK_WITHIN_MS);
      await until('nobody is, for any worker', () => allAnswer([]), BACK_WITHIN_MS);
      const tookMs = Math.round(performance.now() - killedMs);
      t.diagnostic(`${victim} is killed: all who have changed since are answered anew after ${tookMs} ms`);
    } finally {
      await gateway?.stop();
      await stopBeats();
      await data.remove();
    }
  });
});
