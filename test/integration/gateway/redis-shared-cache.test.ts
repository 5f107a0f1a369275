/** The shared cache over a real Redis: its contract, and what befalls a Redis. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { locateRedis, type RedisLocation } from '../../../gateway/cache/redis/redis-location.js';
import { openRedisSharedCache } from '../../../gateway/cache/redis/redis-shared-cache.js';
import {
  describeSharedCacheContract,
  type SharedCachePlace,
} from '../../../gateway/cache/shared-cache.contract.js';
import type { SharedCache, Trust } from '../../../gateway/cache/shared-cache.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { until } from '../../support/until.js';

/** On an idle machine a call takes a millisecond; this one may be busy. */
const TIMEOUT_MS = 1_000;
const PASSWORD = 'p@ss:w/ord';

function locate(url: string, instance = 'quanren', isCluster = false): RedisLocation {
  const location = locateRedis({
    'redis.url': url,
    'redis.cluster': isCluster,
    'redis.sentinelName': '',
    'redis.sentinelPassword': '',
    'redis.caFile': '',
    'redis.instance': instance,
  });
  assert.ok(location !== undefined);
  return location;
}

function urlOf({ engine }: TestEngine): string {
  return `redis://${engine.addresses.redis}`;
}

/** Everything that the caches say of being away, to look for secrets. */
const said: string[] = [];

function openCache(
  url: string,
  { ttlMs = 60_000, instance = 'quanren', commandTimeoutMs = TIMEOUT_MS } = {},
) {
  return openRedisSharedCache({
    location: locate(url, instance),
    ttlMs,
    commandTimeoutMs,
    onChange: (reason) => said.push(reason ?? 'back'),
  });
}

function serves(cache: SharedCache) {
  return until('Redis serves', async () => await cache.look(), 20_000);
}

/** Every entry that there is. */
async function trustAll(cache: SharedCache): Promise<Trust> {
  return { server: (await serves(cache)).server, sinceMs: 0 };
}

async function hold(cache: SharedCache, trust: Trust, uid: string, codes: readonly string[]): Promise<void> {
  const [outcome] = await cache.read([uid], trust);
  assert.ok(outcome?.kind === 'lease', outcome?.kind);
  await cache.fill([{ uid, token: outcome.token, codes }], trust);
  assert.deepEqual(await codesOf(cache, trust, uid), codes);
}

/** The codes, or what came instead of them. */
async function codesOf(cache: SharedCache, trust: Trust, uid: string): Promise<readonly string[] | string> {
  const [outcome] = await cache.read([uid], trust);
  return outcome?.kind === 'value' ? outcome.codes : (outcome?.kind ?? 'nothing');
}

const startRedis = (settings: Record<string, string> = {}, ports: Record<string, number> = {}) =>
  startTestEngine('redis', { settings, ports });

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}

/** A node of a cluster listens 10,000 ports further on, too: both are below those that the kernel gives to connections. */
async function findFreeClusterPort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 12_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
  throw new Error('There is no pair of free ports.');
}

async function createRedisPlace(): Promise<SharedCachePlace> {
  // The log of changes is written at once: a server that replaces another remembers all of it.
  const redis = await startRedis({ appendfsync: 'always' });
  const opened: SharedCache[] = [];
  const allServe = () => Promise.all(opened.map(serves));
  const server = () => redis.engine.process('redis');
  return {
    open: async (ttlMs) => {
      const cache = openCache(urlOf(redis), { ttlMs });
      opened.push(cache);
      await serves(cache);
      return cache;
    },
    pass: (ms) => sleep(ms),
    replaceServer: async (entries) => {
      await server().kill();
      if (entries === 'lost') rmSync(path.join(redis.engine.folder, 'data', 'appendonly.aof'));
      await redis.engine.start();
      await allServe();
    },
    takeAway: () => server().pause(),
    bringBack: async () => {
      await server().resume();
      await allServe();
    },
    remove: async () => {
      for (const cache of opened) await cache.close();
      await redis.remove();
    },
  };
}

describeSharedCacheContract('RedisSharedCache over one server', createRedisPlace);

/** Enough that every master of three holds some. */
const MANY_UIDS = Array.from({ length: 100 }, (_, i) => `u${i}`);

/** Trusts what there is from now on: the server, if all gave leases and nothing that was held before. */
async function leaseMany(cache: SharedCache): Promise<{ readonly server: string } | undefined> {
  const { server, timeMs } = await serves(cache);
  const reads = await cache.read(MANY_UIDS, { server, sinceMs: timeMs });
  assert.ok(reads.every(({ kind }) => kind !== 'value'));
  return reads.every(({ kind }) => kind === 'lease') ? { server } : undefined;
}

/** Three masters without replicas: what one of them holds is away with it. */
async function createClusterPlace(): Promise<SharedCachePlace & { nodes: readonly TestEngine[] }> {
  const settings = { appendfsync: 'always', 'cluster-enabled': 'yes', 'cluster-require-full-coverage': 'no' };
  const nodes: TestEngine[] = [];
  for (let i = 0; i < 3; i++) nodes.push(await startRedis(settings, { redis: await findFreeClusterPort() }));
  const addresses = nodes.map(({ engine }) => engine.addresses.redis ?? '');
  const admins = addresses.map((address) => {
    const [host = '', port] = address.split(':');
    return new Redis({ host, port: Number(port) });
  });
  for (const [i, admin] of admins.entries()) {
    const [first, end] = [Math.ceil((i * 16_384) / 3), Math.ceil(((i + 1) * 16_384) / 3)];
    await admin.cluster('ADDSLOTS', ...Array.from({ length: end - first }, (_, slot) => first + slot));
    await admin.call('cluster', 'meet', ...(addresses[0] ?? '').split(':'));
  }
  for (const admin of admins) {
    await until(
      'the cluster is up',
      async () => {
        const info = String(await admin.cluster('INFO'));
        return /cluster_slots_assigned:16384/.test(info) && /cluster_state:ok/.test(info);
      },
      20_000,
    );
    admin.disconnect();
  }
  const location = locate(`redis://${addresses.join()}`, 'quanren', true);
  const opened: SharedCache[] = [];
  /** The client learns in time that there are three again, and a master that has come back lets nobody write at first. */
  const servesAllKeys = (cache: SharedCache) =>
    until('there are leases of all masters', async () => (await leaseMany(cache)) !== undefined, 60_000);
  const allServe = () => Promise.all(opened.map(servesAllKeys));
  return {
    nodes,
    open: async (ttlMs) => {
      const cache = openRedisSharedCache({
        location,
        ttlMs,
        commandTimeoutMs: TIMEOUT_MS,
        onChange: (reason) => said.push(reason ?? 'back'),
      });
      opened.push(cache);
      await servesAllKeys(cache);
      return cache;
    },
    pass: (ms) => sleep(ms),
    replaceServer: async (entries) => {
      for (const { engine } of nodes) {
        await engine.process('redis').kill();
        if (entries === 'lost') rmSync(path.join(engine.folder, 'data', 'appendonly.aof'));
        await engine.start();
      }
      await allServe();
    },
    takeAway: async () => {
      for (const { engine } of nodes) await engine.process('redis').pause();
    },
    bringBack: async () => {
      for (const { engine } of nodes) await engine.process('redis').resume();
      await allServe();
    },
    remove: async () => {
      for (const cache of opened) await cache.close();
      for (const node of nodes) await node.remove();
    },
  };
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
      const [, node] = place.nodes;
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

describe('a real Redis', () => {
  let redis: TestEngine;
  let admin: Redis;
  let cache: SharedCache;
  let nextUid = 0;
  const newUid = () => `u${nextUid++}`;
  const opened: SharedCache[] = [];

  function open(url = urlOf(redis), options: Parameters<typeof openCache>[1] = {}): SharedCache {
    const client = openCache(url, options);
    opened.push(client);
    return client;
  }

  before(async () => {
    redis = await startRedis();
    const [host = '', port] = (redis.engine.addresses.redis ?? '').split(':');
    admin = new Redis({ host, port: Number(port) });
    admin.on('error', () => undefined);
    cache = open();
    await serves(cache);
  });
  after(async () => {
    admin.disconnect();
    for (const each of opened) await each.close();
    await redis.remove();
    assert.ok(!said.some((each) => each.includes(PASSWORD)), 'a password was said');
  });

  it('keys carry the instance, and two instances do not meet', async () => {
    const trust = await trustAll(cache);
    const mine = open(urlOf(redis), { instance: 'mine' });
    await serves(mine);
    await hold(cache, trust, 'shared', ['theirs']);
    await hold(mine, trust, 'shared', ['mine']);
    assert.deepEqual(await codesOf(cache, trust, 'shared'), ['theirs']);
    const keys = (await admin.keys('*shared')).sort();
    assert.match(keys.join(' '), /^quanren:\{mine:\d+\}:shared quanren:\{quanren:\d+\}:shared$/);
  });

  it('FLUSHALL forgets values and leases, and nothing comes back by an old fill', async () => {
    const trust = await trustAll(cache);
    const [held, leased] = [newUid(), newUid()];
    await hold(cache, trust, held, ['vip']);
    const [lease] = await cache.read([leased], trust);
    assert.ok(lease?.kind === 'lease');
    await admin.flushall();
    await cache.fill([{ uid: leased, token: lease.token, codes: ['stale'] }], trust);
    assert.equal(await codesOf(cache, trust, leased), 'lease');
    assert.equal(await codesOf(cache, trust, held), 'lease');
  });

  it('scripts that Redis has forgotten are sent again', async () => {
    const trust = await trustAll(cache);
    await admin.script('FLUSH');
    await hold(cache, trust, newUid(), ['vip']);
    await admin.script('FLUSH');
    assert.equal(await cache.invalidate([newUid()], trust), true);
  });

  it('what is damaged, foreign or of another user is a miss, and heals', async () => {
    const trust = await trustAll(cache);
    const [uid, another] = [newUid(), newUid()];
    await hold(cache, trust, another, ['other']);
    await hold(cache, trust, uid, ['vip', 'old']);
    const [key = ''] = await admin.keys(`*:${uid}`);
    const [anothersKey = ''] = await admin.keys(`*:${another}`);
    const good = await admin.getBuffer(key);
    const others = await admin.getBuffer(anothersKey);
    assert.ok(good !== null && others !== null);
    const bad: (Buffer | 'list')[] = [
      others,
      'list',
      Buffer.from('a text of someone else’s'),
      Buffer.alloc(0),
    ];
    for (let i = 0; i < good.length; i += 1) {
      bad.push(good.subarray(0, i));
      const flipped = Buffer.from(good);
      flipped[i] = (flipped[i] ?? 0) ^ 0x21;
      bad.push(flipped);
    }
    for (const bytes of bad) {
      await admin.del(key);
      if (bytes === 'list') await admin.rpush(key, 'x');
      else await admin.set(key, bytes);
      const found = await codesOf(cache, trust, uid);
      // A flipped bit in the time alone leaves another time, which the server judges.
      const isTime =
        bytes !== 'list' && bytes.length === good.length && bytes.subarray(7).equals(good.subarray(7));
      if (!isTime || typeof found === 'string') assert.ok(found === 'none' || found === 'lease', `${found}`);
      else assert.deepEqual(found, ['vip', 'old']);
      if (found === 'none')
        await until('it heals', async () => (await codesOf(cache, trust, uid)) === 'lease' || undefined);
    }
  });

  it('a full Redis gives no leases, and still its values', async () => {
    const trust = await trustAll(cache);
    const uid = newUid();
    await hold(cache, trust, uid, ['vip']);
    await admin.config('SET', 'maxmemory-policy', 'noeviction');
    await admin.config('SET', 'maxmemory', '1');
    try {
      assert.deepEqual(await codesOf(cache, trust, uid), ['vip']);
      assert.equal(await codesOf(cache, trust, newUid()), 'none');
      assert.equal(await cache.invalidate([uid], trust), true);
      assert.deepEqual(await codesOf(cache, trust, uid), 'none');
    } finally {
      await admin.config('SET', 'maxmemory', '256mb');
    }
    await hold(cache, trust, uid, ['vip']);
  });

  it('a Redis that is slow costs one timeout, and from then on nothing, until it is quick again', async () => {
    const quick = open(urlOf(redis), { commandTimeoutMs: 20 });
    const trust = await trustAll(quick);
    const uid = newUid();
    await hold(quick, trust, uid, ['vip']);
    const slept = admin.call('debug', 'sleep', '1.5');
    await sleep(20);
    const startMs = performance.now();
    const first = await Promise.all(Array.from({ length: 50 }, () => codesOf(quick, trust, uid)));
    const firstMs = performance.now() - startMs;
    assert.deepEqual(new Set(first), new Set(['none']));
    assert.ok(firstMs < 150, `the first took ${firstMs} ms`);
    const afterMs = performance.now();
    for (let i = 0; i < 1_000; i += 1) assert.equal(await codesOf(quick, trust, uid), 'none');
    const eachMs = (performance.now() - afterMs) / 1_000;
    assert.ok(eachMs < 0.2, `the others took ${eachMs} ms each`);
    await slept;
    await until('it is asked again', async () => (await codesOf(quick, trust, uid)) !== 'none' || undefined);
    assert.deepEqual(await codesOf(quick, trust, uid), ['vip']);
  });

  it('a user with the rights that docs/operations.md names can do all of it; a wrong password says why', async () => {
    const rights = ['~quanren:*', '+eval', '+evalsha', '+info', '+time', '+mget', '+set', '+del'];
    await admin.call('acl', 'setuser', 'app', 'reset', 'on', `>${PASSWORD}`, ...rights);
    const address = redis.engine.addresses.redis;
    const app = open(`redis://app:${encodeURIComponent(PASSWORD)}@${address}`);
    const trust = await trustAll(app);
    const uid = newUid();
    await hold(app, trust, uid, ['vip']);
    assert.equal(await app.invalidate([uid], trust), true);

    const from = said.length;
    const wrong = open(`redis://app:${encodeURIComponent(`${PASSWORD}x`)}@${address}`);
    await sleep(500);
    assert.equal(await wrong.look(), undefined);
    assert.equal(await codesOf(wrong, trust, uid), 'none');
    const reasons = said.slice(from);
    assert.match(reasons.join(), /WRONGPASS/);
    assert.ok(reasons.length < 5, reasons.join('\n'));
  });

  it('a replica has no say, even one that follows the trusted server', async () => {
    const replica = await startRedis();
    const [host = '', port = ''] = (redis.engine.addresses.redis ?? '').split(':');
    const [replicaHost, replicaPort] = (replica.engine.addresses.redis ?? '').split(':');
    const replicaAdmin = new Redis({
      host: replicaHost ?? '',
      port: Number(replicaPort),
      password: PASSWORD,
    });
    try {
      const trust = await trustAll(cache);
      const uid = newUid();
      await hold(cache, trust, uid, ['vip']);
      const there = open(urlOf(replica));
      await serves(there);
      await replicaAdmin.replicaof(host, port);
      await until(
        'it has the entry',
        async () => (await replicaAdmin.keys(`*:${uid}`)).length === 1 || undefined,
      );
      assert.equal(await codesOf(there, trust, uid), 'none');
      assert.equal(await there.invalidate([uid], trust), false);
      assert.equal(await there.look(), undefined);
      // Promoted, it is another server than the one that it followed.
      await replicaAdmin.replicaof('NO', 'ONE');
      const promoted = await serves(there);
      assert.notEqual(promoted.server, trust.server);
      assert.equal(await codesOf(there, trust, uid), 'none');
    } finally {
      replicaAdmin.disconnect();
      await replica.remove();
    }
  });

  it('killed and back on its port: away at once, then another server', async () => {
    const trust = await trustAll(cache);
    const uid = newUid();
    await hold(cache, trust, uid, ['vip']);
    await redis.engine.process('redis').kill();
    await until('it is away', async () => (await codesOf(cache, trust, uid)) === 'none' || undefined);
    const startMs = performance.now();
    for (let i = 0; i < 1_000; i += 1) assert.equal(await codesOf(cache, trust, uid), 'none');
    assert.ok(performance.now() - startMs < 200);
    assert.equal(await cache.look(), undefined);
    await redis.engine.start();
    const backMs = performance.now();
    const look = await serves(cache);
    assert.ok(performance.now() - backMs < 5_000);
    assert.notEqual(look.server, trust.server);
    assert.equal(await codesOf(cache, trust, uid), 'none');
  });
});
