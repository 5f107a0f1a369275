/** The shared cache over `rediss://`: only a server whose certificate is vouched for, and is for its name, is talked to. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findFreePort } from '../../../cli/ports.js';
import { locateRedis } from '../../../gateway/cache/redis/redis-location.js';
import { openRedisSharedCache } from '../../../gateway/cache/redis/redis-shared-cache.js';
import type { SharedCache } from '../../../gateway/cache/shared-cache.js';
import { createCertificate } from '../../support/certificate.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { until } from '../../support/until.js';

describe('a Redis with TLS', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-redis-tls-'));
  const inFolder = (name: string, content: string) => {
    const file = path.join(folder, name);
    writeFileSync(file, content);
    return file;
  };
  const { cert, key } = createCertificate();
  const caFile = inFolder('cert.pem', cert);
  const caches: SharedCache[] = [];
  let redis: TestEngine;
  let port: number;

  before(async () => {
    port = await findFreePort();
    redis = await startTestEngine('redis', {
      settings: {
        'tls-port': String(port),
        'tls-cert-file': caFile,
        'tls-key-file': inFolder('key.pem', key),
        'tls-ca-cert-file': caFile,
        'tls-auth-clients': 'no',
      },
    });
  });
  after(async () => {
    await Promise.all(caches.map((cache) => cache.close()));
    await redis?.remove();
    rmSync(folder, { recursive: true });
  });

  /** The cache, and why it says that it is away. */
  function open(authority: string): { cache: SharedCache; reasons: string[] } {
    const location = locateRedis({
      'redis.url': `rediss://localhost:${port}`,
      'redis.cluster': false,
      'redis.sentinelName': '',
      'redis.sentinelPassword': '',
      'redis.caFile': authority,
      'redis.instance': 'quanren',
    });
    assert.ok(location !== undefined);
    const reasons: string[] = [];
    const cache = openRedisSharedCache({
      location,
      ttlMs: 60_000,
      commandTimeoutMs: 1_000,
      onChange: (reason) => {
        if (reason !== undefined) reasons.push(reason);
      },
    });
    caches.push(cache);
    return { cache, reasons };
  }

  it('is filled and read', async () => {
    const { cache } = open(caFile);
    const { server, timeMs } = await until('it serves', async () => cache.look());
    const trust = { server, sinceMs: timeMs };
    const [lease] = await cache.read(['u1'], trust);
    assert.ok(lease?.kind === 'lease');
    await cache.fill([{ uid: 'u1', token: lease.token, codes: ['vip'] }], trust);
    assert.equal((await cache.read(['u1'], trust))[0]?.kind, 'value');
  });

  it('is away, with the reason, when nobody whom we know vouches for it', async () => {
    for (const authority of ['', inFolder('foreign.pem', createCertificate().cert)]) {
      const { cache, reasons } = open(authority);
      await until('the reason', async () => reasons.length > 0 || undefined);
      assert.match(reasons.join(), /certificate/);
      assert.equal(await cache.look(), undefined);
    }
  });
});
