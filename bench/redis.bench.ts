/**
 * What the shared cache costs over a real Redis: reads that hit, misses (read and fill), invalidations.
 *
 *   npm run bench -- redis [--users 100000] [--seconds 3]
 *
 * Prints users a second, the time of a call (50% and 99%), the client's CPU a user, and that of Redis.
 */
import { parseArgs } from 'node:util';
import { locateRedis } from '../gateway/cache/redis/redis-location.js';
import { openRedisSharedCache } from '../gateway/cache/redis/redis-shared-cache.js';
import type { SharedCache, Trust } from '../gateway/cache/shared-cache.js';
import { startTestEngine } from '../test/support/engines.js';
import { quantile } from './support/figures.js';
import { cpuSeconds } from './support/processes.js';

const { values } = parseArgs({
  options: { users: { type: 'string', default: '100000' }, seconds: { type: 'string', default: '3' } },
});
const users = Number(values.users);
const seconds = Number(values.seconds);
const CROWDS = ['big_spenders', 'lapsed', 'premium', 'online_now', 'new_in_town', 'vip', 'cart', 'sms'];
/** Users in a call, and calls under way at once. */
const SHAPES: readonly (readonly [number, number])[] = [
  [1, 1],
  [16, 4],
  [256, 2],
];

type Work = (cache: SharedCache, trust: Trust, uids: readonly string[]) => Promise<void>;

const hit: Work = async (cache, trust, uids) => {
  const outcomes = await cache.read(uids, trust);
  if (!outcomes.every(({ kind }) => kind === 'value')) throw new Error('a user is not there');
};
const miss: Work = async (cache, trust, uids) => {
  const outcomes = await cache.read(uids, trust);
  const fills = outcomes.map((each, i) => {
    if (each.kind !== 'lease') throw new Error('a user is there');
    return { uid: uids[i] ?? '', token: each.token, codes: CROWDS.slice(0, 1 + (i % 8)) };
  });
  await cache.fill(fills, trust);
};
const invalidate: Work = async (cache, trust, uids) => {
  if (!(await cache.invalidate(uids, trust))) throw new Error('it was not invalidated');
};

const say = (line: string) => process.stdout.write(`${line}\n`);
const redis = await startTestEngine('redis', { settings: { appendonly: 'no' } });
const pids = [redis.engine.process('redis').pid ?? 0];

/** Over users that no other shape meets, each once; or for a while, over those that the first shape has filled. */
async function measure(name: string, work: Work, cache: SharedCache, trust: Trust, forAWhile: boolean) {
  for (const [batch, atOnce] of SHAPES) {
    let next = 0;
    let done = 0;
    const callsMs: number[] = [];
    const startedMs = performance.now();
    const [cpu, serverCpu] = [process.cpuUsage(), cpuSeconds(pids)];
    const isOver = () =>
      forAWhile ? performance.now() - startedMs > seconds * 1_000 : next + batch > users / SHAPES.length;
    const prefix = forAWhile ? '1' : String(batch);
    const loop = async () => {
      while (!isOver()) {
        const from = next % (users / SHAPES.length - batch);
        next += batch;
        const uids = Array.from({ length: batch }, (_, i) => `${prefix}.user${Math.floor(from) + i}`);
        const askedMs = performance.now();
        await work(cache, trust, uids);
        callsMs.push(performance.now() - askedMs);
        done += batch;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, loop));
    const tookSeconds = (performance.now() - startedMs) / 1_000;
    const { user, system } = process.cpuUsage(cpu);
    const at = (part: number) => quantile(callsMs, part).toFixed(2);
    const perSecond = Math.round(done / tookSeconds).toLocaleString('en');
    say(
      `${name.padEnd(10)} ${String(batch).padStart(3)} users a call, ${atOnce} at once: ${perSecond.padStart(8)} users/s, ` +
        `a call ${at(0.5)} ms, 99% ${at(0.99)} ms; client ${((user + system) / done).toFixed(1)} µs CPU a user, ` +
        `Redis ${(((cpuSeconds(pids) - serverCpu) * 1e6) / done).toFixed(1)}`,
    );
  }
}

const location = locateRedis({
  'redis.url': `redis://${redis.engine.addresses.redis}`,
  'redis.cluster': false,
  'redis.sentinelName': '',
  'redis.sentinelPassword': '',
  'redis.caFile': '',
  'redis.instance': 'bench',
});
if (location === undefined) throw new Error('no Redis');
const cache = openRedisSharedCache({
  location,
  ttlMs: 600_000,
  commandTimeoutMs: 1_000,
  onChange: (reason) => reason !== undefined && say(`Redis is away: ${reason}`),
});
try {
  let look = await cache.look();
  while (look === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    look = await cache.look();
  }
  const trust = { server: look.server, sinceMs: 0 };
  await measure('read, fill', miss, cache, trust, false);
  await measure('hit', hit, cache, trust, true);
  await measure('invalidate', invalidate, cache, trust, true);
} finally {
  await cache.close();
  await redis.remove();
}
