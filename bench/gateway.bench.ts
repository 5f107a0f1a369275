/**
 * The gateway against a bare uWebSockets.js server, in one interleaved run: hits (every user cached), misses (a cache of
 * 16 users, so that nearly every request reads LMDB), and batches of 1,000 cached users. Servers run on core 0, wrk on core 1; one server is under
 * load at a time. CPU is user and system time of the server's processes from /proc/PID/stat. Ratios are taken within
 * each round, between neighbours in time, and their median is given: on a shared machine that moves least.
 *
 *   npm run bench -- gateway [--users 1000000] [--seconds 2] [--rounds 15] [--uids short|hex]
 *
 * Needs Linux, taskset (util-linux) and wrk.
 */
import { parseArgs } from 'node:util';
import { DataFolder } from '../test/integration/gateway/gateway-process.js';
import { describeMachine, median, quantile } from './support/figures.js';
import { fillMemberships } from './support/fill.js';
import { startGateway } from './support/gateway.js';
import { needWrk, runWrk, uidOf as shortUidOf } from './support/load.js';
import { cpuSeconds } from './support/processes.js';
import { startBareUws } from './support/start-bare-uws.js';

const { values } = parseArgs({
  options: {
    users: { type: 'string', default: '1000000' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '15' },
    /** `short`: 8 characters. `hex`: 64, as many as a SHA-256 has. */
    uids: { type: 'string', default: 'short' },
  },
});
const [users, seconds, rounds] = [Number(values.users), Number(values.seconds), Number(values.rounds)];
const CONNECTIONS = 64;
const CROWDS = [
  'big_spenders',
  'lapsed_premium',
  'one_time_buyers',
  'young',
  'northern',
  'frequent',
  'lost',
  'rich',
];
/** What wrk asks for: a script of bench/gateway/, and how many users each of its requests is for. */
interface Load {
  readonly script: string;
  readonly path: string;
  readonly usersPerRequest: number;
}
const MATCH: Load = { script: 'match.lua', path: '/match', usersPerRequest: 1 };
const BATCH: Load = { script: 'batch.lua', path: '/match/batch', usersPerRequest: 1_000 };

interface Server {
  readonly name: string;
  readonly load: Load;
  readonly url: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

interface Round {
  readonly usersPerSecond: number;
  /** Per user. */
  readonly cpuMicros: number;
}

const uidOf = (i: number): string =>
  values.uids === 'hex' ? i.toString(16).padStart(8, '0').repeat(8) : shortUidOf(i);

async function load({ url, load, pids }: Server, seed: number): Promise<Round> {
  const before = cpuSeconds(pids);
  const { requests, refused, perSecond } = await runWrk({
    url: url + load.path,
    script: `gateway/${load.script}`,
    seconds,
    connections: CONNECTIONS,
    environment: { USERS: String(users), UIDS: values.uids, SEED: String(seed) },
  });
  const cpu = cpuSeconds(pids) - before;
  if (refused > 0) throw new Error(`${refused} of ${requests} requests were refused`);
  return {
    usersPerSecond: perSecond * load.usersPerRequest,
    cpuMicros: (cpu * 1e6) / (requests * load.usersPerRequest),
  };
}

/** The median of the quotients round by round, and the middle half of them. */
function showQuotients(
  above: readonly Round[],
  below: readonly Round[],
  of: (round: Round) => number,
): string {
  const quotients = above.map((round, i) => of(round) / of(below[i] as Round));
  const at = (part: number): string => quantile(quotients, part).toFixed(2);
  return `${at(0.5)} (${at(0.25)}–${at(0.75)})`;
}

/** Each user is in two to five of the crowds. */
const crowdsOf = (i: number): string[] =>
  Array.from({ length: 2 + (i % 4) }, (_, k) => CROWDS[(i + k * (1 + (i % 3))) % CROWDS.length] ?? '');

async function startMatching(name: string, data: DataFolder, cacheEntries: number): Promise<Server> {
  const { url, pids, process } = await startGateway(data, {
    QUANREN_GATEWAY_CACHE_ENTRIES: String(cacheEntries),
    QUANREN_GATEWAY_CACHE_TTL_MS: '43200000',
  });
  return { name, load: MATCH, url, pids, stop: () => process.stop() };
}

/** Asks for every user until he is cached: on a busy machine the limit of reads refuses some at first. */
async function warm(server: Server): Promise<void> {
  const batch = 250;
  for (let start = 0; start < users; ) {
    const uids = Array.from({ length: Math.min(batch, users - start) }, (_, i) => uidOf(start + i));
    const response = await fetch(`${server.url}/match/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uids }),
    });
    if (response.status !== 200) throw new Error(await response.text());
    if (!(await response.text()).includes('"error"')) start += batch;
  }
}

needWrk();
const data = new DataFolder();
const servers: Server[] = [];
try {
  console.error(`filling the store with ${users} users …`);
  for (const code of CROWDS) await data.setCrowd(code, 'active');
  await fillMemberships(data.memberships, users, uidOf, crowdsOf);
  data.startBeats();
  servers.push({ ...(await startBareUws()), name: 'bare uWS', load: MATCH });
  const hits = await startMatching('gateway, hits', data, 2 * users);
  servers.push(hits, await startMatching('gateway, misses', data, 16));
  console.error('warming …');
  await warm(hits);
  servers.push({ ...hits, name: 'gateway, batches', load: BATCH });
  for (const server of servers) await load(server, 1);
  const results = new Map<string, Round[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // To and fro, so that none always follows the same other.
    const turn = round % 2 === 0 ? servers : servers.toReversed();
    for (const server of turn) results.get(server.name)?.push(await load(server, round + 2));
  }
  const [bare = [], hitRounds = []] = results.values();
  console.log(
    `${describeMachine()} at the end; ${users} users, ${values.uids} uids, ${CONNECTIONS} connections`,
  );
  console.log(`${rounds} interleaved rounds of ${seconds} s: medians, and the middle half\n`);
  console.log('| server | users/s | of bare | of hits | CPU µs/user | of bare |\n|---|---|---|---|---|---|');
  for (const [name, all] of results) {
    const rate = Math.round(median(all.map((round) => round.usersPerSecond)));
    const micros = median(all.map((round) => round.cpuMicros)).toFixed(2);
    const ofBare = showQuotients(all, bare, (round) => round.usersPerSecond);
    const ofHits = showQuotients(all, hitRounds, (round) => round.usersPerSecond);
    const ofBareCpu = showQuotients(bare, all, (round) => round.cpuMicros);
    console.log(`| ${name} | ${rate} | ${ofBare} | ${ofHits} | ${micros} | ${ofBareCpu} |`);
  }
} finally {
  for (const server of servers) await server.stop();
  await data.remove();
}
