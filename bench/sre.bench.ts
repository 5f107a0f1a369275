/**
 * One page for those who run the gateway: what it can do (wrk) and how quick it is at stated rates (k6), for users that are
 * cached, for users that are not, for nine of ten that are, and for twice what it is set to answer; and what Kafka, HBase
 * and Redis cost a hit. Exit code 1 where a threshold is missed.
 *
 *   npm run bench -- sre [--out bench/results/sre.md] [--users 200000] [--seconds 20] [--rounds 7]
 *     [--hit-rate 2000] [--mixed-rate 2000] [--miss-rate 1000] [--limit 1000] [--before FOLDER]
 *
 * By default over gateways of its own, of one worker, over the real HBase, Kafka and Redis: the gateway on core 0,
 * everything else on core 1. `--before` names a built checkout of an earlier version, whose hits are the baseline then;
 * else they are those over the embedded store and bus. Or over one that runs:
 *
 *   npm run bench -- sre --url http://127.0.0.1:8080 [--metrics http://127.0.0.1:9464/metrics]
 *     [--uid-prefix u --uid-digits 7 --users 1000000 --crowd big_spenders_30d] [--limit N]
 *
 * whose users are the prefix and a number, by default those of `npm start`. Then --limit is what that gateway is set to
 * answer in a second (gateway.workerUsersPerSecond times its workers); without it, twice of that is not measured.
 *
 * Needs Linux, taskset (util-linux), wrk, k6 (bench/README.md says how to get them); and, without --url, Java and Maven.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { DataFolder, GatewayProcess } from '../test/integration/gateway/gateway-process.js';
import {
  CAPACITY_HEAD,
  compareHits,
  HITS_HEAD,
  type Kind,
  LATENCY_HEAD,
  measureCapacity,
  measureLatency,
  measureOverload,
  OVERLOAD_HEAD,
  type Target,
} from './sre/measure.js';
import { Page } from './sre/page.js';
import { type BackEnds, startBackEnds } from './support/back-ends.js';
import { describeMachine } from './support/figures.js';
import { fillMemberships } from './support/fill.js';
import { type BenchGateway, startGateway } from './support/gateway.js';
import { needK6 } from './support/k6.js';
import { needWrk, uidOf } from './support/load.js';
import { LOAD_CORE, pin, SERVER_CORE } from './support/processes.js';
import { startBareUws } from './support/start-bare-uws.js';

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: 'bench/results/sre.md' },
    url: { type: 'string' },
    metrics: { type: 'string' },
    users: { type: 'string' },
    'uid-prefix': { type: 'string', default: '' },
    'uid-digits': { type: 'string', default: '5' },
    crowd: { type: 'string', default: 'big_spenders_30d' },
    /** Of each measurement; twice the limit is asked for three times as long. */
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '7' },
    'hit-rate': { type: 'string', default: '2000' },
    'mixed-rate': { type: 'string', default: '2000' },
    'miss-rate': { type: 'string', default: '1000' },
    limit: { type: 'string' },
    before: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
const isOwn = values.url === undefined;
const users = Number(values.users ?? (isOwn ? 200_000 : 23_570));
/** So few that next to none of the others is found in a cache that has room for twice as many. */
const hot = Math.ceil(users / 50);
const CROWDS = [
  'big_spenders_30d',
  'lapsed_premium',
  'online_now',
  'frequent',
  'northern',
  'young',
  'rich',
  'lost',
];
const crowdsOf = (i: number): string[] => CROWDS.slice(0, 1 + (i % CROWDS.length));
/** Users are 1 to `users`. */
const uidFrom1 = (i: number): string => uidOf(i + 1);
const who = {
  USERS: String(users),
  HOT: String(hot),
  MISSES: '0.1',
  UID_PREFIX: isOwn ? 'u' : values['uid-prefix'],
  UID_DIGITS: isOwn ? '7' : values['uid-digits'],
  CROWD: values.crowd,
};
const rates: Readonly<Record<Kind, number>> = {
  hit: Number(values['hit-rate']),
  mixed: Number(values['mixed-rate']),
  miss: Number(values['miss-rate']),
};
const page = new Page();
const [capacities, latencies]: [string[][], string[][]] = [[], []];

async function measure(target: Target, kinds: readonly Kind[]): Promise<void> {
  for (const kind of kinds) {
    console.error(`${kind}: wrk, then k6 at ${rates[kind]}/s …`);
    capacities.push(await measureCapacity(target, kind, seconds));
    latencies.push(await measureLatency(page, target, kind, rates[kind], seconds));
  }
}

function showLoads(): void {
  page.section(
    'What it can do',
    `wrk, 64 connections that ask as soon as they are answered, ${seconds} s each. \`hit\`: ${hot} cached users, asked for by ` +
      'Zipf’s law; `miss`: the others, evenly; `mixed`: nine of ten hits.',
    CAPACITY_HEAD,
    capacities,
  );
  page.section(
    'How quick it is',
    `k6 at a stated rate, ${seconds} s each, \`bench/k6/steady.js\`, whose thresholds are p99 < 5 ms, p99.9 < 25 ms, no answer ` +
      'later than 1 s, fewer than one in a thousand failed or not fresh, and none that k6 could not send.',
    LATENCY_HEAD,
    latencies,
  );
}

async function overload(target: Target, limit: number): Promise<void> {
  console.error('overload …');
  const rows = await measureOverload(page, target, limit, 3 * seconds);
  page.section(
    'Twice what it is set to answer',
    `k6, ${3 * seconds} s, \`bench/k6/overload.js\`: hits of a gateway that is set to ${limit} users a second. Asked: nine tenths of ` +
      'that are answered, their p99 at most twice the nominal one, p99 of the refusals below 5 ms.',
    OVERLOAD_HEAD,
    rows,
  );
}

async function overOwn(): Promise<void> {
  console.error(`starting HBase, Kafka and Redis, filling ${users} users …`);
  const backEnds = await startBackEnds();
  try {
    pin(backEnds.pids, LOAD_CORE);
    await backEnds.setCrowds(CROWDS);
    await fillMemberships(backEnds.stores.memberships, users, uidFrom1, crowdsOf);
    const remembers = { QUANREN_GATEWAY_CACHE_ENTRIES: String(2 * hot) };
    const all = { ...backEnds.settings, ...backEnds.redisSettings, ...remembers };
    let hits: string[][] = [];
    await withGateway(backEnds, all, async (gateway) => {
      await measure(gateway, ['hit', 'mixed']);
      hits = await compareWithBaseline(gateway, remembers);
    });
    const forgets = { ...backEnds.settings, QUANREN_GATEWAY_CACHE_ENTRIES: '16' };
    await withGateway(backEnds, forgets, (gateway) => measure(gateway, ['miss']));
    showLoads();
    const limit = Number(values.limit ?? 1_000);
    const limited = { ...all, QUANREN_GATEWAY_WORKER_USERS_PER_SECOND: String(limit) };
    await withGateway(backEnds, limited, (gateway) => overload(gateway, limit));
    page.section(
      'What HBase, Kafka and Redis cost a hit',
      `wrk in turns of 2 s, ${values.rounds} rounds: medians, and those of the ratios within a round. Asked: the last is no slower ` +
        'than the baseline, which is the second.',
      HITS_HEAD,
      hits,
    );
  } finally {
    await backEnds.remove();
  }
}

async function withGateway(
  data: Pick<BackEnds, 'folder'>,
  settings: Readonly<Record<string, string>>,
  run: (target: Target) => Promise<void>,
): Promise<void> {
  const gateway = await startGateway(data, settings);
  try {
    await run(targetOf(gateway));
  } finally {
    await gateway.process.stop();
  }
}

const targetOf = ({ url, pids, process }: BenchGateway): Target => ({
  ...{ url, pids, who },
  metricsUrl: `http://127.0.0.1:${process.metricsPort}/metrics`,
});

/** This build, or one that has the same two things. */
interface Build {
  readonly DataFolder: typeof DataFolder;
  readonly GatewayProcess: typeof GatewayProcess;
}

function buildIn(folder: string): Promise<Build> {
  const file = path.resolve(folder, 'dist/test/integration/gateway/gateway-process.js');
  return import(pathToFileURL(file).href) as Promise<Build>;
}

interface NamedServer extends Target {
  readonly name: string;
  stop(): Promise<void>;
}

async function startEmbedded(
  name: string,
  build: Build,
  settings: Readonly<Record<string, string>>,
): Promise<NamedServer> {
  const data = new build.DataFolder();
  for (const code of CROWDS) await data.setCrowd(code, 'active');
  await fillMemberships(data.memberships, hot, uidFrom1, crowdsOf);
  data.startBeats();
  const gateway = await startGateway(data, settings, SERVER_CORE, build.GatewayProcess);
  const stop = async (): Promise<void> => {
    await gateway.process.stop();
    await data.remove();
  };
  return { ...targetOf(gateway), name, stop };
}

async function compareWithBaseline(
  real: Target,
  remembers: Readonly<Record<string, string>>,
): Promise<string[][]> {
  console.error('hits, in turns with the baseline …');
  const servers: NamedServer[] = [];
  try {
    servers.push({ ...(await startBareUws()), name: 'bare uWebSockets.js', metricsUrl: undefined, who });
    if (values.before !== undefined) {
      const name = `the gateway of ${path.basename(values.before)}, embedded store and bus`;
      servers.push(await startEmbedded(name, await buildIn(values.before), remembers));
    }
    const here = { DataFolder, GatewayProcess };
    servers.push(await startEmbedded('the gateway, embedded store and bus', here, remembers));
    const last = { ...real, name: 'the gateway with HBase, Kafka and Redis' };
    return await compareHits(page, [...servers, last], Number(values.rounds));
  } finally {
    for (const server of servers) await server.stop();
  }
}

/** The command that writes this page. */
function commandLine(): string {
  const quote = (arg: string) => (/^[\w./:=,-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", "'\\''")}'`);
  return ['npm run bench -- sre', ...process.argv.slice(2).map(quote)].join(' ');
}

needWrk();
needK6();
const machine = `${describeMachine()} before`;
if (values.url === undefined) await overOwn();
else {
  const target = { url: values.url, metricsUrl: values.metrics, pids: undefined, who };
  await measure(target, ['hit', 'mixed', 'miss']);
  showLoads();
  if (values.limit !== undefined) await overload(target, Number(values.limit));
}
const where =
  values.url ??
  `gateways of one worker on core 0; HBase (one JVM, ${users} users), Kafka, Redis and the load on core 1`;
const text = page.render(
  'The match gateway under load',
  `${new Date().toISOString().slice(0, 10)}; ${machine}; ${where}. As written by\n\n    ${commandLine()}`,
);
mkdirSync(path.dirname(values.out), { recursive: true });
writeFileSync(values.out, text);
console.log(text);
process.exitCode = page.missed.length === 0 ? 0 : 1;
