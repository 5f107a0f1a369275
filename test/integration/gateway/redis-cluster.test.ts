/** The shared cache over a Redis Cluster: its contract, a master that goes away, and one whose replica takes over. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openRedisSharedCache } from '../../../gateway/cache/redis/redis-shared-cache.js';
import { describeSharedCacheContract } from '../../../gateway/cache/shared-cache.contract.js';
import type { SharedCache } from '../../../gateway/cache/shared-cache.js';
import { SharedLevel } from '../../../gateway/read/shared-level.js';
import { SharedCacheGate } from '../../../gateway/stream/shared-cache-gate.js';
import { createRedisPlace, serves, trustAll } from '../../support/redis.js';
import { adminOf, type RedisCluster, startRedisCluster } from '../../support/redis-cluster.js';
import { until } from '../../support/until.js';

/** On an idle machine a call takes a millisecond; this one may be busy. */
const TIMEOUT_MS = 1_000;

/** Enough that every master of three holds some. */
const MANY_UIDS = Array.from({ length: 100 }, (_, i) => `u${i}`);

function openCache({ location }: RedisCluster, commandTimeoutMs = TIMEOUT_MS, ttlMs = 60_000) {
  return openRedisSharedCache({ location, ttlMs, commandTimeoutMs, onChange: () => undefined });
}

/** Trusts what there is from now on: the server, if all gave leases and nothing that was held before. */
async function leaseMany(cache: SharedCache): Promise<{ readonly server: string } | undefined> {
  const { server, timeMs } = await serves(cache);
  const reads = await cache.read(MANY_UIDS, { server, sinceMs: timeMs });
  assert.ok(reads.every(({ kind }) => kind !== 'value'));
  return reads.every(({ kind }) => kind === 'lease') ? { server } : undefined;
}

/** The client learns in time that there are three again, and a master that has come back lets nobody write at first. */
const servesAllKeys = (cache: SharedCache) =>
  until('there are leases of all masters', async () => (await leaseMany(cache)) !== undefined, 60_000);

/** Three masters without replicas: what one of them holds is away with it. */
async function createClusterPlace() {
  const cluster = await startRedisCluster();
  const place = createRedisPlace({
    servers: cluster.masters,
    open: (ttlMs) => openCache(cluster, TIMEOUT_MS, ttlMs),
    whenServing: servesAllKeys,
  });
  return { ...place, cluster };
}

describeSharedCacheContract('RedisSharedCache over a cluster of three masters', createClusterPlace);

describe('a Redis Cluster', () => {
  it('one node that is away is an outage: nothing is invalidated but all of it', async () => {
    const place = await createClusterPlace();
    try {
      const cache = await place.open(60_000);
      const trust = await trustAll(cache);
      assert.equal(trust.server.split(',').length, 3);
      const uids = MANY_UIDS;
      const leases = await cache.read(uids, trust);
      const fills = leases.map((each, i) => {
        assert.ok(each.kind === 'lease');
        return { uid: uids[i] ?? '', token: each.token, codes: [`c${i}`] };
      });
      await cache.fill(fills, trust);
      assert.ok((await cache.read(uids, trust)).every(({ kind }) => kind === 'value'));
      const [, node] = place.cluster.masters;
      await node?.engine.process('redis').kill();
      assert.equal(await cache.invalidate(uids, trust), false);
      assert.equal(await cache.look(), undefined);
      assert.ok((await cache.read(uids, trust)).every(({ kind }) => kind === 'none'));
      await node?.engine.start();
      const back = await until('there are leases again', () => leaseMany(cache), 60_000);
      const [known, now] = [trust.server.split(','), back.server.split(',')];
      assert.equal(now.length, 3);
      assert.equal(now.filter((id) => known.includes(id)).length, 2, 'one is another process now');
    } finally {
      await place.remove();
    }
  });
});

/** No call may take longer, whatever befalls the cluster; a busy machine included. */
const BOUND_MS = 1_500;
/** A second until the master is given up, another for the vote, and one until the client hears of it. */
const BACK_WITHIN_MS = 20_000;

describe('a Redis Cluster with replicas', () => {
  let cluster: RedisCluster;
  const opened: SharedCache[] = [];
  const open = (commandTimeoutMs?: number): SharedCache => {
    const cache = openCache(cluster, commandTimeoutMs);
    opened.push(cache);
    return cache;
  };

  const pair = (place: number) => {
    const [master, replica] = [cluster.masters[place], cluster.replicas[place]];
    assert.ok(master !== undefined && replica !== undefined);
    return { master, replica };
  };

  before(async () => {
    cluster = await startRedisCluster({ hasReplicas: true });
  });
  after(async () => {
    for (const cache of opened) await cache.close();
    await cluster?.remove();
  });

  it('a replica that took over and has missed an invalidation is not believed', async (t) => {
    const cache = open();
    const trust = await trustAll(cache);
    const leases = await cache.read(MANY_UIDS, trust);
    const fills = leases.map((each, i) => {
      assert.ok(each.kind === 'lease', each.kind);
      return { uid: MANY_UIDS[i] ?? '', token: each.token, codes: ['old'] };
    });
    await cache.fill(fills, trust);
    const { master, replica } = pair(1);
    const admin = adminOf(replica);
    t.after(() => admin.disconnect());
    const heldThere = await until('the replica has its entries', async () => {
      const size = await admin.dbsize();
      return size > 10 && size;
    });
    await replica.engine.process('redis').kill();
    assert.equal(await cache.invalidate(MANY_UIDS, trust), true);
    await master.engine.process('redis').kill();
    await replica.engine.start();
    await until(
      'it has taken over',
      async () => {
        const kinds = (await cache.read(MANY_UIDS, trust)).map(({ kind }) => kind);
        assert.ok(!kinds.includes('value'), 'what was invalidated is believed again');
        const server = (await cache.look())?.server;
        return server !== undefined && server !== trust.server && kinds.includes('none');
      },
      BACK_WITHIN_MS,
    );
    assert.equal(await admin.dbsize(), heldThere, 'it still has what was invalidated');
    await until('there are leases of all masters', () => leaseMany(cache), BACK_WITHIN_MS);
  });

  it('a master whose replica takes over, while users change: nothing wrong, short calls, and back by itself', async (t) => {
    /** What the store has of a user: how often he has changed. */
    const stored = new Map(MANY_UIDS.map((uid) => [uid, 0]));
    /** The last change that workers have been told of. */
    const told = new Map(stored);
    const wrong: string[] = [];
    let longestMs = 0;
    let isOver = false;
    const timed = async <T>(call: Promise<T>): Promise<T> => {
      const startMs = performance.now();
      const result = await call;
      longestMs = Math.max(longestMs, performance.now() - startMs);
      return result;
    };
    const level = new SharedLevel(open(100), { onSharedRead: () => undefined });
    const gate = new SharedCacheGate({
      cache: open(250),
      onTrust: (trust) => {
        level.trust = trust;
      },
      onShut: () => undefined,
      now: () => Date.now(),
      stopwatch: () => performance.now(),
    });
    const change = async () => {
      for (let i = 0; !isOver; i = (i + 1) % MANY_UIDS.length) {
        const uid = MANY_UIDS[i] ?? '';
        const changes = (stored.get(uid) ?? 0) + 1;
        stored.set(uid, changes);
        await timed(gate.forget([uid]));
        told.set(uid, changes);
        await sleep(5);
      }
    };
    /** The users that were known, or for whom a lease was given. */
    const read = async (): Promise<number> => {
      const known = new Map(told);
      const answer = await timed(level.read(MANY_UIDS));
      if (answer === undefined) return 0;
      const fills = [];
      for (const [i, uid] of MANY_UIDS.entries()) {
        const outcome = answer.outcomes[i];
        if (outcome?.kind === 'lease') {
          fills.push({ uid, token: outcome.token, codes: [`v${stored.get(uid)}`] });
        } else if (outcome?.kind === 'value' && Number(outcome.codes[0]?.slice(1)) < (known.get(uid) ?? 0)) {
          wrong.push(`${uid}: ${outcome.codes}, and ${known.get(uid)} was told`);
        }
      }
      await timed(answer.fill(fills));
      return answer.outcomes.filter(({ kind }) => kind !== 'none').length;
    };
    let reads = 0;
    let servedInFull = 0;
    const readOn = async () => {
      while (!isOver) {
        const served = await read();
        reads += 1;
        servedInFull = served === MANY_UIDS.length ? servedInFull + 1 : 0;
        await sleep(2);
      }
    };
    const checkOn = async () => {
      while (!isOver) {
        await timed(gate.check());
        await sleep(100);
      }
    };
    const isSteady = async () => gate.state === 'open' && servedInFull > 50;
    const load = Promise.all([change(), readOn(), checkOn()]);
    try {
      await until('all users are served', isSteady, BACK_WITHIN_MS);
      const { master, replica } = pair(0);
      const killedMs = performance.now();
      await master.engine.process('redis').kill();
      await until('the shared cache is shut', async () => gate.state === 'shut');
      const shutMs = performance.now() - killedMs;
      await until('all users are served again', isSteady, BACK_WITHIN_MS);
      const backMs = performance.now() - killedMs;
      const admin = adminOf(replica);
      assert.equal((await admin.role())[0], 'master');
      admin.disconnect();
      // It comes back as a replica, with what it had.
      await master.engine.start();
      await sleep(2_000);
      await until('all users are served still', isSteady, BACK_WITHIN_MS);
      t.diagnostic(
        `shut after ${shutMs.toFixed()} ms, back after ${backMs.toFixed()} ms; ${reads} reads, the longest call ${longestMs.toFixed()} ms`,
      );
    } finally {
      isOver = true;
      await load;
    }
    assert.deepEqual(wrong, []);
    assert.ok(longestMs < BOUND_MS, `a call took ${longestMs} ms`);
  });
});
