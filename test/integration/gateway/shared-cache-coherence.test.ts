/**
 * Two gateways with two workers each share a real Redis while memberships change, and while Redis and the gateways suffer
 * what they may suffer. Whatever is said to be fresh was true at some moment within the last `STALE_AFTER_MS`: the design's
 * word for not wrong. An old entry that was believed again would be believed for minutes.
 */
import assert from 'node:assert/strict';
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { CLOCK_SKEW_MS } from '../../../gateway/stream/shared-cache-gate.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const USERS = Array.from({ length: 120 }, (_, i) => `u${i}`);
const STALE_AFTER_MS = 1_000;
/** Each user changes every few seconds, so that an old answer can be told from a right one. */
const CHANGE_EVERY_MS = 40;
const ASKED_AT_ONCE = 30;
const CROWD = 'vip';

/** A user is in the crowd, or not, from when that began to be written until the next change has been published. */
interface State {
  readonly isIn: boolean;
  readonly fromMs: number;
  untilMs: number;
}

describe('gateways that share a Redis', { timeout: 240_000 }, () => {
  const data = new DataFolder();
  const history = new Map<string, State[]>(
    USERS.map((uid) => [uid, [{ isIn: false, fromMs: 0, untilMs: Number.POSITIVE_INFINITY }]]),
  );
  const gateways: (GatewayProcess | undefined)[] = [undefined, undefined];
  let redis: TestEngine;
  let admin: Redis;
  let isOver = false;
  let checked = 0;
  const wrong: string[] = [];
  let background: Promise<unknown>;

  async function startGateway(place: number): Promise<void> {
    gateways[place] = await GatewayProcess.start(data, {
      QUANREN_REDIS_URL: `redis://${redis.engine.addresses.redis}`,
      QUANREN_GATEWAY_STALE_AFTER_MS: String(STALE_AFTER_MS),
      // Next to nothing is found in L1.
      QUANREN_GATEWAY_CACHE_ENTRIES: '16',
    });
    await gateways[place].ready();
  }

  async function stopGateway(place: number): Promise<void> {
    const gateway = gateways[place];
    gateways[place] = undefined;
    await gateway?.stop();
  }

  /** Changes these users, and tells of it by `tell`. */
  async function change(uids: readonly string[], tell: () => Promise<void>): Promise<void> {
    const nowMs = Date.now();
    const next = uids.map((uid) => {
      const states = history.get(uid) ?? [];
      const last = states.at(-1);
      const state = { isIn: last?.isIn !== true, fromMs: nowMs, untilMs: Number.POSITIVE_INFINITY };
      states.push(state);
      return { uid, last, state };
    });
    await data.memberships.apply(
      next.map(({ uid, state }) => ({
        uid,
        crowdCode: CROWD,
        kind: state.isIn ? 'enter' : 'leave',
        changeTimeMs: nowMs,
      })),
      nowMs,
    );
    await tell();
    const toldMs = Date.now();
    for (const { last } of next) if (last !== undefined) last.untilMs = toldMs;
  }

  async function changeOne(uid: string): Promise<void> {
    await change([uid], () => {
      const { isIn, fromMs } = history.get(uid)?.at(-1) ?? { isIn: false, fromMs: 0 };
      const value = {
        type: 'membership-changed',
        uid,
        crowdCode: CROWD,
        kind: isIn ? 'enter' : 'leave',
        changeTimeMs: fromMs,
      };
      return data.bus.publish('membership-changes', [{ key: uid, value }]);
    });
  }

  async function write(): Promise<void> {
    while (!isOver) {
      const uid = USERS[Math.floor(Math.random() * USERS.length)] ?? '';
      const last = history.get(uid)?.at(-1);
      // Two changes within a millisecond would be one to the store.
      if (last !== undefined && Date.now() - last.fromMs > 50) await changeOne(uid);
      await sleep(CHANGE_EVERY_MS);
    }
  }

  /** What was wrong in the answers to one request; asks the long way, past the store's immediate reads. */
  async function ask(gateway: GatewayProcess, uids: readonly string[]): Promise<number> {
    const askedMs = Date.now();
    const response = await gateway.get('/match/batch', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uids }),
    });
    if (response.status !== 200) return 0;
    const { results } = (await response.json()) as {
      results: { uid: string; userCrowds?: string[]; status?: string }[];
    };
    const answeredMs = Date.now();
    let fresh = 0;
    for (const { uid, userCrowds, status } of results) {
      if (status !== 'fresh' || userCrowds === undefined) continue;
      fresh += 1;
      const isIn = userCrowds.includes(CROWD);
      const states = history.get(uid) ?? [];
      const wasTrue = states.some(
        (state) =>
          state.isIn === isIn && state.fromMs <= answeredMs && state.untilMs >= askedMs - STALE_AFTER_MS,
      );
      if (!wasTrue) wrong.push(`${uid}: ${isIn} at ${askedMs}, after ${JSON.stringify(states.slice(-3))}`);
    }
    return fresh;
  }

  async function read(): Promise<void> {
    while (!isOver) {
      const gateway = gateways[Math.floor(Math.random() * gateways.length)];
      const from = Math.floor(Math.random() * USERS.length);
      const uids = [...USERS, ...USERS].slice(from, from + ASKED_AT_ONCE);
      // A gateway that is being stopped breaks its connections.
      if (gateway !== undefined) checked += await ask(gateway, uids).catch(() => 0);
      await sleep(5);
    }
  }

  async function metric(series: string): Promise<number> {
    const values = await Promise.all(gateways.map(async (gateway) => gateway?.metric(series) ?? 0));
    return values.reduce((sum, value) => sum + value, 0);
  }

  const bothUse = () =>
    until(
      'both gateways use the shared cache',
      async () => (await metric('quanren_gateway_shared_cache_state{state="open"}')) === 2,
      20_000,
    );

  /** A scene is right where it checked much, found nothing wrong, and the shared cache is in use after it. */
  async function play(scene: () => Promise<void>, isUsedAfter = true): Promise<void> {
    const before = checked;
    await scene();
    await sleep(2 * STALE_AFTER_MS);
    await bothUse();
    const hits = await metric('quanren_gateway_shared_cache_hits_total');
    await sleep(STALE_AFTER_MS);
    assert.deepEqual(wrong, []);
    if (isUsedAfter) {
      assert.ok((await metric('quanren_gateway_shared_cache_hits_total')) > hits, 'Redis answers nothing');
    }
    assert.ok(checked - before > 500, `only ${checked - before} answers were fresh`);
  }

  before(async () => {
    redis = await startTestEngine('redis', { settings: { appendfsync: 'always' } });
    const [host = '', port] = (redis.engine.addresses.redis ?? '').split(':');
    admin = new Redis({ host, port: Number(port) });
    admin.on('error', () => undefined);
    await data.setCrowd(CROWD, 'active');
    data.startBeats();
    await Promise.all([startGateway(0), startGateway(1)]);
    background = Promise.all([write(), read(), read()]);
  });
  after(async () => {
    isOver = true;
    await background;
    admin.disconnect();
    await Promise.all([stopGateway(0), stopGateway(1)]);
    await redis.remove();
    await data.remove();
  });

  // A gateway that loses Redis soon after its start believes nothing of it until it has run for so long.
  it('while nothing befalls them', () => play(() => sleep(CLOCK_SKEW_MS)));

  it('while Redis is flushed', () =>
    play(async () => {
      for (let i = 0; i < 5; i += 1) {
        await admin.flushall();
        await sleep(200);
      }
    }));

  it('while Redis is killed, and comes back with what it had', () =>
    play(async () => {
      await redis.engine.process('redis').kill();
      await sleep(1_000);
      await redis.engine.start();
    }));

  it('while Redis is killed, and comes back with what it had some seconds ago', () =>
    play(async () => {
      const log = path.join(redis.engine.folder, 'data', 'appendonly.aof');
      copyFileSync(log, `${log}.old`);
      await sleep(3_000);
      await redis.engine.process('redis').kill();
      copyFileSync(`${log}.old`, log);
      await redis.engine.start();
    }));

  it('while Redis stands still', () =>
    play(async () => {
      const server = redis.engine.process('redis');
      for (const ms of [100, 1_500]) {
        await server.pause();
        await sleep(ms);
        await server.resume();
        await sleep(500);
      }
    }));

  it('while crowds are refreshed', () =>
    play(async () => {
      for (let i = 0; i < 5; i += 1) {
        await change(USERS.slice(0, 40), () =>
          data.bus.publish('membership-changes', [
            { key: CROWD, value: { type: 'crowd-refreshed', crowdCode: CROWD, changeTimeMs: Date.now() } },
          ]),
        );
        await sleep(600);
      }
    }));

  it('while one gateway is restarted', () =>
    play(async () => {
      await stopGateway(0);
      await sleep(1_000);
      await startGateway(0);
    }));

  it('while both are restarted, and Redis is away at their start', () =>
    play(async () => {
      await Promise.all([stopGateway(0), stopGateway(1)]);
      await redis.engine.process('redis').pause();
      await Promise.all([startGateway(0), startGateway(1)]);
      await sleep(500);
      await redis.engine.process('redis').resume();
    }, false));

  it('and in the end every worker says what is true', async () => {
    isOver = true;
    await background;
    await sleep(2 * STALE_AFTER_MS);
    for (const gateway of gateways) {
      assert.ok(gateway !== undefined);
      for (let i = 0; i < 4; i += 1) {
        assert.equal(await ask(gateway, USERS), USERS.length);
        for (const uid of USERS.slice(0, 20)) {
          const { isMatch } = await gateway.json(`/match?uid=${uid}&crowdCode=${CROWD}`);
          assert.equal(isMatch, history.get(uid)?.at(-1)?.isIn, uid);
        }
      }
    }
    assert.deepEqual(wrong, []);
  });
});
