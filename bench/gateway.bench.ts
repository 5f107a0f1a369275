/**
 * The gateway against a bare uWebSockets.js server, in one interleaved run: hits (every user cached), misses (a cache of
 * 16 users, so that nearly every request reads LMDB), and batches of 1,000 cached users. Servers run on core 0, wrk on core 1; one server is under
 * load at a time. CPU is user and system time of the server's processes from /proc/PID/stat. Ratios are taken within
 * each round, between neighbours in time, and their median is given: on a shared machine that moves least.
 *
 *   npm run bench -- gateway
 *   node dist/bench/gateway.bench.js [--users 1000000] [--seconds 2] [--rounds 15] [--uids short|hex]
 *
 * Needs Linux, taskset (util-linux) and wrk (Debian: apt install wrk).
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findFreePort } from '../cli/ports.js';
import { DataFolder, until } from '../test/integration/gateway/gateway-process.js';

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
const SERVER_CORE = '0';
const LOAD_CORE = '1';
const CONNECTIONS = '64';
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
const DIST = path.resolve(import.meta.dirname, '..');
/** USER_HZ, which /proc counts in. */
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** What wrk asks for: a script beside match.lua, and how many users each of its requests is for. */
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
  readonly port: number;
  readonly pids: readonly number[];
  readonly child: ChildProcess;
}

interface Round {
  readonly usersPerSecond: number;
  /** Per user. */
  readonly cpuMicros: number;
}

/** As match.lua has it. */
const uidOf = (i: number): string =>
  values.uids === 'hex' ? i.toString(16).padStart(8, '0').repeat(8) : `u${String(i).padStart(7, '0')}`;

function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function load(server: Server, seed: number): Round {
  const before = server.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const { stdout, status } = spawnSync(
    'taskset',
    [
      ...['-c', LOAD_CORE, 'wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`],
      ...['-s', path.resolve(DIST, '..', 'bench', 'gateway', server.load.script)],
      `http://127.0.0.1:${server.port}${server.load.path}`,
    ],
    {
      encoding: 'utf8',
      env: { ...process.env, USERS: String(users), UIDS: values.uids, SEED: String(seed) },
    },
  );
  const cpu = server.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0) - before;
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  if (status !== 0 || !(requests > 0) || /Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  const { usersPerRequest } = server.load;
  return {
    usersPerSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]) * usersPerRequest,
    cpuMicros: (cpu * 1e6) / (requests * usersPerRequest),
  };
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** The median of the quotients round by round, and the middle half of them. */
function showQuotients(
  above: readonly Round[],
  below: readonly Round[],
  of: (round: Round) => number,
): string {
  const quotients = above.map((round, i) => of(round) / of(below[i] as Round)).sort((a, b) => a - b);
  const at = (part: number): string =>
    (quotients[Math.floor(part * (quotients.length - 1))] ?? Number.NaN).toFixed(2);
  return `${at(0.5)} (${at(0.25)}–${at(0.75)})`;
}

async function fillStore(data: DataFolder): Promise<void> {
  const at = Date.now() - 1_000;
  for (const code of CROWDS) await data.setCrowd(code, 'active');
  for (let start = 0; start < users; start += 10_000) {
    const changes = [];
    for (let i = start; i < Math.min(users, start + 10_000); i++) {
      // Each user is in two to five of the crowds.
      for (let k = 0; k < 2 + (i % 4); k++) {
        const crowdCode = CROWDS[(i + k * (1 + (i % 3))) % CROWDS.length] ?? '';
        changes.push({ uid: uidOf(i), crowdCode, kind: 'enter' as const, changeTimeMs: at });
      }
    }
    await data.memberships.apply(changes, Date.now());
  }
}

async function startGateway(name: string, data: DataFolder, cacheEntries: number): Promise<Server> {
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const child = spawn(
    'taskset',
    ['-c', SERVER_CORE, process.execPath, path.join(DIST, 'gateway', 'main.js')],
    {
      stdio: ['ignore', 'ignore', 'ignore'],
      env: {
        ...process.env,
        QUANREN_DATA_DIR: data.folder,
        QUANREN_GATEWAY_PORT: String(port),
        QUANREN_GATEWAY_METRICS_PORT: String(metricsPort),
        QUANREN_GATEWAY_WORKERS: '1',
        QUANREN_GATEWAY_CACHE_ENTRIES: String(cacheEntries),
        QUANREN_GATEWAY_CACHE_TTL_MS: '43200000',
      },
    },
  );
  const url = `http://127.0.0.1:${port}`;
  await until(
    'the gateway',
    async () => ((await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200 ? true : undefined),
    60_000,
  );
  // taskset becomes the main process; its child is the worker.
  const workers = execFileSync('ps', ['-o', 'pid=', '--ppid', String(child.pid)], { encoding: 'utf8' });
  return {
    name,
    load: MATCH,
    port,
    child,
    pids: [child.pid ?? 0, ...workers.trim().split(/\s+/).map(Number)],
  };
}

async function startBare(): Promise<Server> {
  const file = path.join(import.meta.dirname, 'gateway', 'bare-uws.js');
  const child = spawn('taskset', ['-c', SERVER_CORE, process.execPath, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { name: 'bare uWS', load: MATCH, port: Number(port), child, pids: [child.pid ?? 0] };
}

/** Asks for every user until he is cached: on a busy machine the limit of reads refuses some at first. */
async function warm(server: Server): Promise<void> {
  const batch = 250;
  for (let start = 0; start < users; ) {
    const uids = Array.from({ length: Math.min(batch, users - start) }, (_, i) => uidOf(start + i));
    const response = await fetch(`http://127.0.0.1:${server.port}/match/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uids }),
    });
    if (response.status !== 200) throw new Error(await response.text());
    if (!(await response.text()).includes('"error"')) start += batch;
  }
}

if (spawnSync('wrk', ['--version']).error !== undefined) {
  console.error('This bench needs wrk: apt install wrk');
  process.exit(1);
}
const data = new DataFolder();
const servers: Server[] = [];
try {
  console.error(`filling the store with ${users} users …`);
  await fillStore(data);
  // wrk holds this process for a whole round, so the servers must not go by its heartbeats.
  process.env.QUANREN_GATEWAY_STALE_AFTER_MS = '3600000';
  servers.push(await startBare());
  const hits = await startGateway('gateway, hits', data, 2 * users);
  servers.push(hits, await startGateway('gateway, misses', data, 16));
  console.error('warming …');
  await warm(hits);
  servers.push({ ...hits, name: 'gateway, batches', load: BATCH });
  for (const server of servers) load(server, 1);
  const results = new Map<string, Round[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // To and fro, so that none always follows the same other.
    const turn = round % 2 === 0 ? servers : servers.toReversed();
    for (const server of turn) results.get(server.name)?.push(load(server, round + 2));
  }
  const [bare = [], hitRounds = []] = results.values();
  const [cpu] = cpus();
  const load1 = (loadavg()[0] ?? Number.NaN).toFixed(1);
  console.log(
    `${cpus().length} × ${cpu?.model}, Node ${process.versions.node}; ${users} users, ${values.uids} uids, ${CONNECTIONS} connections`,
  );
  console.log(
    `${rounds} interleaved rounds of ${seconds} s: medians, and the middle half; load average at the end ${load1}\n`,
  );
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
  for (const { child } of servers) {
    if (child.exitCode !== null) continue;
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  await data.remove();
}
