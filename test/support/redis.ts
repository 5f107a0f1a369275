/** Real Redis servers for tests of the shared cache, and clients of them. */
import { locateRedis, type RedisLocation } from '../../gateway/cache/redis/redis-location.js';
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
