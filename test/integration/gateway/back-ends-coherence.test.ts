/**
 * The claim that the whole machinery of caches is for, on the real thing: once every gateway has consumed a change, no
 * reader gets the old value as fresh again. Memberships are written to HBase and told through Kafka while two gateways of
 * two workers each, which share a Redis, have every user in their caches, and while Redis and the gateways suffer what they
 * may suffer.
 *
 * Each change puts a user into one crowd more, so that an answer tells its version: how many crowds it lists. What a gateway
 * has consumed it says itself: its stream is proven up to a heartbeat, which follows all that was published before it.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { EventBus } from '../../../events/event-bus.js';
import { startHeartbeat } from '../../../events/heartbeat.js';
import { openEventBus } from '../../../events/open-event-bus.js';
import { CLOCK_SKEW_MS } from '../../../gateway/stream/shared-cache-gate.js';
import { openStores, type Stores } from '../../../stores/open-stores.js';
import { crowdRule } from '../../support/crowd-rule.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { startTestHBase, type TestHBase } from '../../support/hbase.js';
import { RawHttpClient } from '../../support/raw-http-client.js';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const USERS = Array.from({ length: 40 }, (_, i) => `u${i}`);
const MAX_VERSION = 200;
const CROWDS = Array.from({ length: MAX_VERSION }, (_, i) => `crowd_${i}`);
const GATEWAYS = [0, 1];
/** Of each gateway, so that each of its workers has some. */
const READERS = 8;
const CHANGE_EVERY_MS = 20;
const READ_EVERY_MS = 10;
const BEAT_EVERY_MS = 100;
const STALE_AFTER_MS = 2_000;
/** A gateway's main process has consumed a change; its workers have it within this, on a machine that does other things too. */
const TOLD_WITHIN_MS = 250;

/** A version that a user got, and when that was published. */
interface Change {
  readonly version: number;
  readonly publishedMs: number;
}

class Ledger {
  readonly #changes = new Map<string, Change[]>(USERS.map((uid) => [uid, []]));
  readonly #consumed = new Map<string, number>();

  /** What the user was last given. */
  versionOf(uid: string): number {
    return this.#changes.get(uid)?.at(-1)?.version ?? 0;
  }

  publish(uid: string, version: number): void {
    this.#changes.get(uid)?.push({ version, publishedMs: Date.now() });
  }

  /** Every gateway has consumed what was published before then. */
  consume(untilMs: number): void {
    for (const [uid, changes] of this.#changes) {
      const last = changes.findLast(({ publishedMs }) => publishedMs < untilMs);
      if (last !== undefined) this.#consumed.set(uid, Math.max(last.version, this.consumedOf(uid)));
    }
  }

  /** Whoever asks from now on must not get an older one as fresh. */
  consumedOf(uid: string): number {
    return this.#consumed.get(uid) ?? 0;
  }
}

describe('gateways over HBase, Kafka and Redis', { timeout: 300_000 }, () => {
  const data = new DataFolder();
  const ledger = new Ledger();
  const gateways: (GatewayProcess | undefined)[] = GATEWAYS.map(() => undefined);
  const wrong: string[] = [];
  const background: Promise<void>[] = [];
  let [hbase, kafka, redis]: [TestHBase | undefined, TestEngine | undefined, TestEngine | undefined] = [
    undefined,
    undefined,
    undefined,
  ];
  let stores: Stores;
  let bus: EventBus;
  let admin: Redis;
  let environment: Record<string, string>;
  let stopBeats: (() => Promise<void>) | undefined;
  let isOver = false;
  let [changes, fresh] = [0, 0];

  async function startGateway(place: number): Promise<void> {
    gateways[place] = await GatewayProcess.start(data, environment);
    await gateways[place].ready();
  }

  async function stopGateway(place: number): Promise<void> {
    const gateway = gateways[place];
    gateways[place] = undefined;
    await gateway?.stop();
  }

  async function write(): Promise<void> {
    while (!isOver) {
      const uid = USERS[changes % USERS.length] ?? '';
      const version = ledger.versionOf(uid) + 1;
      const crowdCode = CROWDS[version - 1];
      if (crowdCode === undefined) return;
      const change = { uid, crowdCode, kind: 'enter' as const, changeTimeMs: Date.now() };
      await stores.memberships.apply([change], Date.now());
      await bus.publish('membership-changes', [
        { key: uid, value: { type: 'membership-changed', ...change } },
      ]);
      ledger.publish(uid, version);
      changes += 1;
      await sleep(CHANGE_EVERY_MS);
    }
  }

  async function read(place: number): Promise<void> {
    let client: RawHttpClient | undefined;
    while (!isOver) {
      await sleep(READ_EVERY_MS);
      const gateway = gateways[place];
      if (gateway === undefined) continue;
      try {
        client =
          client?.isOpen === true ? client : await RawHttpClient.connect(Number(new URL(gateway.url).port));
        const uid = USERS[Math.floor(Math.random() * USERS.length)] ?? '';
        const least = ledger.consumedOf(uid);
        const { status, body } = await client.get(`/match?uid=${uid}`);
        if (status !== 200) continue;
        const answer = JSON.parse(body) as { userCrowds: string[]; status: string };
        if (answer.status !== 'fresh') continue;
        fresh += 1;
        if (answer.userCrowds.length < least)
          wrong.push(`${uid} at gateway ${place}: version ${answer.userCrowds.length}, not ${least}`);
      } catch {
        // A gateway that is being stopped breaks its connections.
        client?.destroy();
      }
    }
    client?.destroy();
  }

  /** In seconds; NaN where the gateway is not there to say. */
  async function stalenessOf(gateway: GatewayProcess | undefined): Promise<number> {
    try {
      return (await gateway?.metric('quanren_gateway_stream_staleness_seconds')) ?? Number.NaN;
    } catch {
      return Number.NaN;
    }
  }

  async function notice(): Promise<void> {
    while (!isOver) {
      await sleep(BEAT_EVERY_MS);
      const askedMs = Date.now();
      const ages = await Promise.all(gateways.map(stalenessOf));
      const consumedUntilMs = askedMs - 1_000 * Math.max(...ages);
      if (Number.isNaN(consumedUntilMs)) continue;
      await sleep(TOLD_WITHIN_MS);
      ledger.consume(consumedUntilMs);
    }
  }

  async function sum(series: string): Promise<number> {
    let all = 0;
    for (const gateway of gateways) all += (await gateway?.metric(series)) ?? 0;
    return all;
  }

  /** A scene is right where much was changed and read in it, nothing was wrong, and both share the cache after it. */
  async function play(scene: () => Promise<void>): Promise<void> {
    const [changesBefore, freshBefore] = [changes, fresh];
    await scene();
    await sleep(STALE_AFTER_MS);
    await until(
      'both gateways use the shared cache',
      async () => (await sum('quanren_gateway_shared_cache_state{state="open"}')) === GATEWAYS.length,
      30_000,
    );
    await sleep(STALE_AFTER_MS);
    assert.deepEqual(wrong, []);
    assert.ok(changes - changesBefore > 50, `only ${changes - changesBefore} changes`);
    assert.ok(fresh - freshBefore > 500, `only ${fresh - freshBefore} answers were fresh`);
  }

  before(async () => {
    [hbase, kafka, redis] = await Promise.all([
      startTestHBase(),
      startTestEngine('kafka'),
      startTestEngine('redis', { settings: { appendfsync: 'always' } }),
    ]);
    const broker = kafka.engine.addresses.kafka ?? '';
    stores = openStores({ kind: 'hbase', nodes: hbase.nodes, user: 'test', tls: undefined });
    await stores.prepare();
    bus = await openEventBus({ kafka: { brokers: [broker], tls: null, sasl: null, prefix: '' }, folder: '' });
    await bus.publish(
      'crowd-rules',
      CROWDS.map((code) => crowdRule(code)),
    );
    stopBeats = startHeartbeat(bus, { everyMs: BEAT_EVERY_MS, onError: () => undefined });
    const [host = '', port] = (redis.engine.addresses.redis ?? '').split(':');
    admin = new Redis({ host, port: Number(port) });
    admin.on('error', () => undefined);
    environment = {
      QUANREN_HBASE_NODES: hbase.engine.addresses.bootstrap ?? '',
      QUANREN_KAFKA_BROKERS: broker,
      QUANREN_REDIS_URL: `redis://${host}:${port}`,
      QUANREN_GATEWAY_STALE_AFTER_MS: String(STALE_AFTER_MS),
    };
    await Promise.all(GATEWAYS.map(startGateway));
    background.push(write(), notice());
    for (const place of GATEWAYS) for (let i = 0; i < READERS; i += 1) background.push(read(place));
  });
  after(async () => {
    isOver = true;
    await Promise.all(background);
    admin?.disconnect();
    await Promise.all(GATEWAYS.map(stopGateway));
    await stopBeats?.();
    await bus?.close();
    await stores?.close();
    await Promise.all([hbase, kafka, redis].map(async (engine) => engine?.remove()));
    await data.remove();
  });

  // A gateway that loses Redis soon after its start believes nothing of it until it has run for so long.
  it('while nothing befalls them, and most answers come from the caches', async () => {
    await play(() => sleep(CLOCK_SKEW_MS));
    const hits = await sum('quanren_gateway_cache_hits_total');
    const misses = await sum('quanren_gateway_cache_misses_total');
    assert.ok(hits > misses, `${hits} hits, ${misses} misses`);
  });

  it('while Redis is flushed', () =>
    play(async () => {
      for (let i = 0; i < 5; i += 1) {
        await admin.flushall();
        await sleep(200);
      }
    }));

  it('while Redis is killed, and comes back with what it had', () =>
    play(async () => {
      await redis?.engine.process('redis').kill();
      await sleep(1_000);
      await redis?.engine.start();
    }));

  it('while Redis stands still', () =>
    play(async () => {
      await redis?.engine.process('redis').pause();
      await sleep(1_500);
      await redis?.engine.process('redis').resume();
    }));

  it('while all gateways are restarted', () =>
    play(async () => {
      await Promise.all(GATEWAYS.map(stopGateway));
      await sleep(500);
      await Promise.all(GATEWAYS.map(startGateway));
    }));

  it('and in the end every reader gets the last version', async () => {
    const isLast = async () => {
      const seen = await Promise.all(
        GATEWAYS.flatMap((place) =>
          USERS.map(async (uid) => {
            const { userCrowds } = (await gateways[place]?.json(`/match?uid=${uid}`)) ?? {};
            return (userCrowds as string[] | undefined)?.length === ledger.versionOf(uid);
          }),
        ),
      );
      return seen.every(Boolean);
    };
    isOver = true;
    await Promise.all(background);
    await until('the last version', isLast, STALE_AFTER_MS);
    assert.deepEqual(wrong, []);
  });
});
