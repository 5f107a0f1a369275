/** The shared cache over a master that a sentinel with a password watches: after a fail-over another server serves, and is trusted anew. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Redis } from 'ioredis';
import { findFreePort } from '../../../cli/ports.js';
import { locateRedis } from '../../../gateway/cache/redis/redis-location.js';
import { openRedisSharedCache } from '../../../gateway/cache/redis/redis-shared-cache.js';
import type { SharedCache } from '../../../gateway/cache/shared-cache.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { until } from '../../support/until.js';

const PASSWORD = 'hush-hush';

const folder = mkdtempSync(path.join(tmpdir(), 'quanren-sentinel-'));
let master: TestEngine;
let replica: TestEngine;
let sentinel: ChildProcess;
let cache: SharedCache;
let sentinelPort: number;

const portOf = ({ engine }: TestEngine) => String(engine.ports.redis);

before(async () => {
  [master, replica] = await Promise.all([startTestEngine('redis'), startTestEngine('redis')]);
  const admin = new Redis(Number(portOf(replica)));
  await admin.replicaof('127.0.0.1', portOf(master));
  await until('the replica follows', async () =>
    String(await admin.info('replication')).includes('master_link_status:up'),
  );
  admin.disconnect();
  sentinelPort = await findFreePort();
  const file = path.join(folder, 'sentinel.conf');
  writeFileSync(
    file,
    `port ${sentinelPort}
bind 127.0.0.1
requirepass ${PASSWORD}
dir ${folder}
sentinel monitor main 127.0.0.1 ${portOf(master)} 1
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
`,
  );
  const program = readlinkSync(`/proc/${master.engine.process('redis').pid}/exe`);
  sentinel = spawn(program, [file, '--sentinel'], { stdio: 'ignore' });
  const location = locateRedis({
    'redis.url': `redis://127.0.0.1:${sentinelPort}`,
    'redis.cluster': false,
    'redis.sentinelName': 'main',
    'redis.sentinelPassword': PASSWORD,
    'redis.caFile': '',
    'redis.instance': 'quanren',
  });
  assert.ok(location !== undefined);
  cache = openRedisSharedCache({
    location,
    ttlMs: 60_000,
    commandTimeoutMs: 1_000,
    onChange: () => undefined,
  });
});

after(async () => {
  await cache?.close();
  sentinel?.kill('SIGKILL');
  await Promise.all([master, replica].map((each) => each?.remove()));
  rmSync(folder, { recursive: true, force: true });
});

test('the master is found, dies, and its successor is another server', { timeout: 90_000 }, async () => {
  const first = await until('the master serves', async () => cache.look(), 20_000);
  const trust = { server: first.server, sinceMs: 0 };
  const [lease] = await cache.read(['u1'], trust);
  assert.ok(lease?.kind === 'lease');
  await cache.fill([{ uid: 'u1', token: lease.token, codes: ['vip'] }], trust);
  assert.equal((await cache.read(['u1'], trust))[0]?.kind, 'value');
  // So that the sentinel knows of the replica.
  await until(
    'the sentinel knows both',
    async () => {
      const asked = new Redis(sentinelPort, { password: PASSWORD });
      const known = await asked.call('sentinel', 'replicas', 'main');
      asked.disconnect();
      return Array.isArray(known) && known.length === 1;
    },
    30_000,
  );
  await master.engine.process('redis').kill();
  const second = await until('its successor serves', async () => cache.look(), 40_000);
  assert.notEqual(second.server, first.server);
  assert.equal((await cache.read(['u1'], trust))[0]?.kind, 'none');
  assert.equal(await cache.invalidate(['u1'], trust), false);
  const now = { server: second.server, sinceMs: second.timeMs };
  assert.equal((await cache.read(['u1'], now))[0]?.kind, 'lease', 'what the replica had is not believed');
});
