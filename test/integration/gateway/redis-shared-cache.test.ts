/** The shared cache over a real Redis: its contract, and what befalls a Redis. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { openRedisSharedCache } from '../../../gateway/cache/redis/redis-shared-cache.js';
import { describeSharedCacheContract } from '../../../gateway/cache/shared-cache.contract.js';
import type { SharedCache, Trust } from '../../../gateway/cache/shared-cache.js';
import type { TestEngine } from '../../support/engines.js';
import { createRedisPlace, locate, serves, startRedis, trustAll, urlOf } from '../../support/redis.js';
import { until } from '../../support/until.js';

/** On an idle machine a call takes a millisecond; this one may be busy. */
const TIMEOUT_MS = 1_000;
const PASSWORD = 'p@ss:w/ord';

/** Everything that the caches say of being away, to look for secrets. */
const said: string[] = [];

function openCache(
  url: string,
  { ttlMs = 60_000, instance = 'quanren', commandTimeoutMs = TIMEOUT_MS } = {},
) {
  return openRedisSharedCache({
    location: locate(url, { instance }),
    ttlMs,
    commandTimeoutMs,
    onChange: (reason) => said.push(reason ?? 'back'),
  });
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

describeSharedCacheContract('RedisSharedCache over one server', async () => {
  const redis = await startRedis({ appendfsync: 'always' });
  return createRedisPlace({
    servers: [redis],
    open: (ttlMs) => openCache(urlOf(redis), { ttlMs }),
    whenServing: serves,
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

  it('of a Redis that lacks a command the reason is told, and no user', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'quanren-redis-'));
    const include = path.join(folder, 'without-evalsha.conf');
    writeFileSync(include, 'rename-command EVALSHA ""\n');
    const lacking = await startRedis({ include });
    const client = open(urlOf(lacking));
    const uid = 'uid-00095';
    try {
      assert.deepEqual(await client.read([uid], await trustAll(client)), [{ kind: 'none' }]);
      await until('it is told', () => said.some((each) => each.includes('unknown command')));
      assert.ok(!said.some((each) => each.includes(uid)), said.join());
    } finally {
      await client.close();
      await lacking.remove();
      rmSync(folder, { recursive: true, force: true });
    }
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
