/**
 * The gateway over real back ends: HBase in one JVM, Kafka, Redis.
 *
 * 1. Misses. wrk asks for random users of `--users` in HBase; the gateway remembers 16 and has no Redis, so that nearly
 *    every request is a row of HBase. HBase has core 1 for itself; gateway and wrk share core 0. Whose core is full is
 *    who limits: the CPU of each is shown. Then the same open-loop at half of that rate, for the latency.
 * 2. Changes. A user who is asked for all the time changes: the store acknowledges, the event is published, and the
 *    time until the answer has changed is taken, with Redis between.
 *
 *   npm run bench -- back-ends
 *   node dist/bench/back-ends.bench.js [--users 200000] [--seconds 10] [--rounds 3] [--changes 500]
 *
 * Needs Linux, taskset (util-linux), wrk (Debian: apt install wrk), Java and Maven.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RawHttpClient } from '../test/support/raw-http-client.js';
import { startBackEnds } from './support/back-ends.js';
import { describeMachine, median, quantile } from './support/figures.js';
import { fillMemberships } from './support/fill.js';
import { startGateway } from './support/gateway.js';
import { needWrk, offerLoad, runWrk, uidOf } from './support/load.js';
import { cpuSeconds, pin } from './support/processes.js';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '3' },
    changes: { type: 'string', default: '500' },
  },
});
const [users, seconds, rounds] = [Number(values.users), Number(values.seconds), Number(values.rounds)];
const changes = Number(values.changes);
const [GATEWAY_CORE, HBASE_CORE] = ['0', '1'];
const CONNECTIONS = 256;
const CROWDS = ['big_spenders', 'lapsed_premium', 'online_now', 'frequent'];
const [CROWD = ''] = CROWDS;
const SEEN_WITHIN_MS = 10_000;

const say = (line: string): void => console.log(line);

needWrk();
const backEnds = await startBackEnds();
const { stores, bus, hbasePids } = backEnds;

async function misses(): Promise<void> {
  const gateway = await startGateway(
    backEnds,
    { ...backEnds.settings, QUANREN_GATEWAY_CACHE_ENTRIES: '16' },
    GATEWAY_CORE,
  );
  try {
    const { port, pids } = gateway;
    pin(hbasePids, HBASE_CORE);
    const wrk = (forSeconds: number) =>
      runWrk({
        url: `${gateway.url}/match`,
        script: 'gateway/match.lua',
        seconds: forSeconds,
        connections: CONNECTIONS,
        core: GATEWAY_CORE,
        environment: { USERS: String(users), UIDS: 'short', SEED: String(Date.now() % 1e6) },
      });
    // The JIT of a region server takes its time.
    await wrk(2 * seconds);
    say('| misses | requests/s | refused | gateway: cores, CPU µs/request | HBase: cores, CPU µs/request |');
    say('|---|---|---|---|---|');
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [gatewayBefore, hbaseBefore, atMs] = [cpuSeconds(pids), cpuSeconds(hbasePids), performance.now()];
      const { requests, refused } = await wrk(seconds);
      const tookSeconds = (performance.now() - atMs) / 1_000;
      const show = (cpu: number) =>
        `${(cpu / tookSeconds).toFixed(2)}, ${((cpu * 1e6) / requests).toFixed(1)}`;
      rates.push((requests - refused) / tookSeconds);
      say(
        `| wrk, round ${round + 1} | ${Math.round(requests / tookSeconds)} | ${refused} | ` +
          `${show(cpuSeconds(pids) - gatewayBefore)} | ${show(cpuSeconds(hbasePids) - hbaseBefore)} |`,
      );
    }
    const half = median(rates) / 2;
    const targets = Array.from({ length: 50_000 }, (_, i) => `/match?uid=${uidOf((i * 7_919) % users)}`);
    const { accepted, refused, failed, lateness } = await offerLoad(
      {
        ...{ port, perSecond: half, seconds, connections: CONNECTIONS, seed: 1 },
        targets: targets.slice(0, 2_000),
      },
      GATEWAY_CORE,
    );
    say(
      `\nat half that rate, ${Math.round(half)}/s: p50 ${accepted.p50.toFixed(2)} ms, p99 ${accepted.p99.toFixed(2)} ms; ` +
        `${refused.count} refused, ${failed} failed; the generator was late by ${lateness.p99.toFixed(2)} ms (p99)`,
    );
  } finally {
    await gateway.process.stop();
  }
}

async function changing(): Promise<void> {
  const gateway = await startGateway(
    backEnds,
    { ...backEnds.settings, ...backEnds.redisSettings },
    GATEWAY_CORE,
  );
  try {
    const client = await RawHttpClient.connect(gateway.port);
    const uid = uidOf(0);
    const isMember = async () =>
      (await client.get(`/match?uid=${uid}&crowdCode=${CROWD}`)).body.includes('"isMatch":true');
    let member = await isMember();
    const times: number[] = [];
    for (let i = 0; i < changes; i++) {
      const change = {
        uid,
        crowdCode: CROWD,
        kind: member ? ('leave' as const) : ('enter' as const),
        changeTimeMs: Date.now(),
      };
      await stores.memberships.apply([change], Date.now());
      const acknowledgedMs = performance.now();
      const published = bus.publish('membership-changes', [
        { key: uid, value: { type: 'membership-changed', ...change } },
      ]);
      while ((await isMember()) === member) {
        if (performance.now() - acknowledgedMs > SEEN_WITHIN_MS) throw new Error('A change is never seen.');
      }
      times.push(performance.now() - acknowledgedMs);
      member = !member;
      await published;
      await sleep(5);
    }
    client.destroy();
    say(
      `\n${changes} changes, from the store's acknowledgement to the changed answer: ` +
        [0.5, 0.9, 0.99, 1].map((part) => `p${100 * part} ${quantile(times, part).toFixed(1)} ms`).join(', '),
    );
  } finally {
    await gateway.process.stop();
  }
}

try {
  console.error(`filling HBase with ${users} users …`);
  await backEnds.setCrowds(CROWDS);
  await fillMemberships(stores.memberships, users, uidOf, (i) => CROWDS.slice(0, 1 + (i % CROWDS.length)));
  say(`${describeMachine()} before\n`);
  await misses();
  await changing();
} finally {
  await backEnds.remove();
}
