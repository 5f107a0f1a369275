/**
 * The gateway over real back ends: HBase in one JVM, Kafka, Redis.
 *
 * 1. Misses. wrk asks for random users of `--users` in HBase; the gateway remembers 16 and has no Redis, so that nearly
 *    every request is a row of HBase. Gateway, HBase and wrk are placed on two cores in three ways. What each takes of CPU
 *    a request says how many it could serve on a core of its own, and so who limits. Then half of the best rate: wrk's
 *    connections wait at random between requests, so that they come at random times; and a generator that does not
 *    wait for answers, which takes more CPU than the gateway.
 * 2. Changes. A user who is asked for all the time changes: the store acknowledges, the event is published, and the
 *    time until the answer has changed is taken, with Redis between.
 *
 *   npm run bench -- back-ends [--users 200000] [--seconds 10] [--rounds 3] [--changes 500]
 *
 * Needs Linux, taskset (util-linux), wrk, Java and Maven.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { RawHttpClient } from '../test/support/raw-http-client.js';
import { startBackEnds } from './support/back-ends.js';
import { describeMachine, median, quantile, show, showHead, showRow } from './support/figures.js';
import { fillMemberships } from './support/fill.js';
import { startGateway } from './support/gateway.js';
import { needWrk, offerLoad, runWrk, uidOf } from './support/load.js';
import { ANY_CORE, cpuSeconds, endedCpuSeconds, LOAD_CORE, pin, SERVER_CORE } from './support/processes.js';

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
const CONNECTIONS = 256;
const CROWDS = ['big_spenders', 'lapsed_premium', 'online_now', 'frequent'];
const [CROWD = ''] = CROWDS;
const SEEN_WITHIN_MS = 10_000;
/** One who asks without a pause takes a core from those who are measured. */
const ASK_EVERY_MS = 1;

interface Placement {
  readonly name: string;
  readonly gateway: string;
  readonly hbase: string;
  readonly load: string;
}

const PLACEMENTS: readonly [Placement, ...Placement[]] = [
  { name: 'wrk beside the gateway', gateway: SERVER_CORE, hbase: LOAD_CORE, load: SERVER_CORE },
  { name: 'wrk beside HBase', gateway: SERVER_CORE, hbase: LOAD_CORE, load: LOAD_CORE },
  { name: 'anywhere', gateway: ANY_CORE, hbase: ANY_CORE, load: ANY_CORE },
];

const say = (line: string): void => console.log(line);

needWrk();
const backEnds = await startBackEnds();
const { stores, bus, hbasePids } = backEnds;

async function misses(): Promise<void> {
  const gateway = await startGateway(backEnds, {
    ...backEnds.settings,
    QUANREN_GATEWAY_CACHE_ENTRIES: '16',
  });
  try {
    const { port, pids } = gateway;
    const wrk = (script: string, core: string, forSeconds: number, gapMs = 0) =>
      runWrk({
        ...{ url: `${gateway.url}/match`, script, core, seconds: forSeconds, connections: CONNECTIONS },
        environment: {
          ...{ USERS: String(users), UIDS: 'short', SEED: String(Date.now() % 1e6) },
          GAP_MS: String(gapMs),
        },
      });
    // The JITs of a region server and of a gateway take their time.
    await wrk('gateway/match.lua', ANY_CORE, 2 * seconds);
    const busy = ['gateway', 'HBase', 'wrk'].map((name) => `${name}: cores, CPU µs/request`);
    showHead('misses', 'requests/s', 'refused', ...busy, 'gateway on a core of its own');
    const rates = new Map<Placement, number[]>(PLACEMENTS.map((each) => [each, []]));
    for (let round = 0; round < rounds; round++) {
      for (const placement of PLACEMENTS) {
        pin(pids, placement.gateway);
        pin(hbasePids, placement.hbase);
        const cpuNow = () => [cpuSeconds(pids), cpuSeconds(hbasePids), endedCpuSeconds()];
        const [before, atMs] = [cpuNow(), performance.now()];
        const { requests, refused } = await wrk('gateway/match.lua', placement.load, seconds);
        const tookSeconds = (performance.now() - atMs) / 1_000;
        const used = cpuNow().map((cpu, i) => cpu - (before[i] ?? 0));
        rates.get(placement)?.push((requests - refused) / tookSeconds);
        showRow(
          placement.name,
          show(requests / tookSeconds),
          show(refused),
          ...used.map((cpu) => `${show(cpu / tookSeconds, 2)}, ${show((cpu * 1e6) / requests, 1)}`),
          `${show(requests / (used[0] ?? 0))}/s`,
        );
      }
    }
    const [best = PLACEMENTS[0]] = PLACEMENTS.toSorted(
      (a, b) => median(rates.get(b) ?? []) - median(rates.get(a) ?? []),
    );
    pin(pids, best.gateway);
    pin(hbasePids, best.hbase);
    const half = median(rates.get(best) ?? []) / 2;
    const gapMs = (1_000 * CONNECTIONS) / half;
    const paced = await wrk('gateway/match-paced.lua', best.load, seconds, gapMs);
    say(
      `\nat half the best rate (${best.name}), wrk with pauses, ${show(paced.perSecond)}/s: ` +
        `p50 ${show(paced.p50Ms, 2)} ms, p99 ${show(paced.p99Ms, 2)} ms; ${paced.refused} refused`,
    );
    const targets = Array.from({ length: 2_000 }, (_, i) => `/match?uid=${uidOf((i * 7_919) % users)}`);
    const { accepted, refused, failed, unsent, lateness } = await offerLoad(
      { port, perSecond: half, seconds, connections: CONNECTIONS, seed: 1, targets },
      best.load,
    );
    say(
      `open loop, ${show(half)}/s: p50 ${show(accepted.p50, 2)} ms, p99 ${show(accepted.p99, 2)} ms; ` +
        `${refused.count} refused, ${failed} failed, ${unsent} unsent; ` +
        `the generator was late by ${show(lateness.p99, 2)} ms (p99)`,
    );
  } finally {
    await gateway.process.stop();
  }
}

async function changing(): Promise<void> {
  const gateway = await startGateway(backEnds, { ...backEnds.settings, ...backEnds.redisSettings }, ANY_CORE);
  pin(hbasePids, ANY_CORE);
  try {
    const client = await RawHttpClient.connect(gateway.port);
    const uid = uidOf(0);
    const isMember = async () =>
      (await client.get(`/match?uid=${uid}&crowdCode=${CROWD}`)).body.includes('"isMatch":true');
    let member = await isMember();
    const times: number[] = [];
    const publishTimes: number[] = [];
    for (let i = 0; i < changes; i++) {
      const change = {
        uid,
        crowdCode: CROWD,
        kind: member ? ('leave' as const) : ('enter' as const),
        changeTimeMs: Date.now(),
      };
      await stores.memberships.apply([change], Date.now());
      const acknowledgedMs = performance.now();
      const published = bus
        .publish('membership-changes', [{ key: uid, value: { type: 'membership-changed', ...change } }])
        .then(() => publishTimes.push(performance.now() - acknowledgedMs));
      while ((await isMember()) === member) {
        await sleep(ASK_EVERY_MS);
        if (performance.now() - acknowledgedMs > SEEN_WITHIN_MS) throw new Error('A change is never seen.');
      }
      times.push(performance.now() - acknowledgedMs);
      member = !member;
      await published;
      await sleep(5);
    }
    client.destroy();
    const showTimes = (of: readonly number[]) =>
      [0.5, 0.9, 0.99, 1].map((part) => `p${100 * part} ${show(quantile(of, part), 1)} ms`).join(', ');
    say(`\n${changes} changes, from the store's acknowledgement`);
    say(`to Kafka's acknowledgement: ${showTimes(publishTimes)}`);
    say(`to the changed answer: ${showTimes(times)}`);
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
