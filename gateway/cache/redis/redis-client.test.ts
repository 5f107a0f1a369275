import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { RedisClient } from './redis-client.js';
import { locateRedis } from './redis-location.js';

test('a server that is not Redis is said to be none, in our words', async () => {
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const location = locateRedis({
    'redis.url': `redis://127.0.0.1:${port}`,
    'redis.cluster': false,
    'redis.sentinelName': '',
    'redis.sentinelPassword': '',
    'redis.instance': 'test',
    'redis.caFile': '',
  });
  assert.ok(location !== undefined);
  let client: RedisClient | undefined;
  const reason = await new Promise((resolve) => {
    client = new RedisClient({ location, timeoutMs: 1_000, onChange: resolve });
  });
  client?.close();
  server.close();
  assert.equal(reason, 'what answers there is not Redis');
});
