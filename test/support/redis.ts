/** Real Redis servers for tests of the shared cache, and clients of them. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { locateRedis, type RedisLocation } from '../../gateway/cache/redis/redis-location.js';
import type { SharedCachePlace } from '../../gateway/cache/shared-cache.contract.js';
import type { ServerLook, SharedCache, Trust } from '../../gateway/cache/shared-cache.js';
import { startTestEngine, type TestEngine } from './engines.js';
import { until } from './until.js';

export function startRedis(
  settings: Record<string, string> = {},
  ports: Record<string, number> = {},
): Promise<TestEngine> {
  return startTestEngine('redis', { settings, ports });
}

export function urlOf(...servers: readonly TestEngine[]): string {
  return `redis://${servers.map(({ engine }) => engine.addresses.redis).join()}`;
}

export function locate(url: string, { instance = 'quanren', isCluster = false } = {}): RedisLocation {
  const location = locateRedis({
    'redis.url': url,
    'redis.cluster': isCluster,
    'redis.sentinelName': '',
    'redis.sentinelPassword': '',
    'redis.caFile': '',
    'redis.instance': instance,
  });
  if (location === undefined) throw new Error('No URL was given.');
  return location;
}

export function serves(cache: SharedCache): Promise<ServerLook> {
  return until('Redis serves', async () => await cache.look(), 20_000);
}

/** Every entry that there is. */
export async function trustAll(cache: SharedCache): Promise<Trust> {
  return { server: (await serves(cache)).server, sinceMs: 0 };
}

export interface RedisPlaceOptions {
  /** One, or all masters of a cluster; with `appendfsync: always`, so that a server that replaces another remembers all of it. */
  readonly servers: readonly TestEngine[];
  readonly open: (ttlMs: number) => SharedCache;
  /** Resolves when the cache is not away, and gives leases. */
  readonly whenServing: (cache: SharedCache) => Promise<unknown>;
}

/** For the contract of the shared cache; `remove` ends the servers. */
export function createRedisPlace({ servers, open, whenServing }: RedisPlaceOptions): SharedCachePlace {
  const opened: SharedCache[] = [];
  const allServe = () => Promise.all(opened.map(whenServing));
  return {
    open: async (ttlMs) => {
      const cache = open(ttlMs);
      opened.push(cache);
      await whenServing(cache);
      return cache;
    },
    pass: (ms) => sleep(ms),
    replaceServer: async (entries) => {
      for (const { engine } of servers) {
        await engine.process('redis').kill();
        if (entries === 'lost') rmSync(path.join(engine.folder, 'data', 'appendonly.aof'));
        await engine.start();
      }
      await allServe();
    },
    takeAway: async () => {
      for (const { engine } of servers) await engine.process('redis').pause();
    },
    bringBack: async () => {
      for (const { engine } of servers) await engine.process('redis').resume();
      await allServe();
    },
    remove: async () => {
      for (const cache of opened) await cache.close();
      for (const server of servers) await server.remove();
    },
  };
}
