/**
 * The gateway offered more than it can do, four ways:
 *
 * 1. Misses, twice the capacity. wrk, whose connections wait for each reply, finds the capacity; then requests come at
 *    stated rates, answered or not (`support/open-loop.ts`): 0.7 of the capacity (nominal), twice it, and nominal again,
 *    in turns, so that a machine that changes its pace changes it for all. So that the generator is not the limit, and an
 *    answer costs much more than a refusal (whose system calls it needs too), the work is made heavy: every user is in
 *    hundreds of crowds, and QUANREN_GATEWAY_CACHE_ENTRIES=16 makes each request read, sort and write them all.
 * 2. The same, where the capacity is a setting (QUANREN_GATEWAY_WORKER_USERS_PER_SECOND) and users are cached.
 * 3. Hits, 64 times the connections: at the pace of the cache no generator on one core offers twice what the gateway on
 *    the other can do, so the load grows by connections that wait.
 * 4. Connections that only sit there, 10,000 of them, half of which write a byte every five seconds, beside hits at a
 *    stated rate; of the gateway and of a bare uWebSockets.js server.
 *
 * The gateway runs on core 0, the load on core 1.
 *
 *   npm run bench -- overload [--parts misses,limit,hits,sitting] [--crowds 1200] [--seconds 60] [--rounds 1] [--connections 1000]
 *
 * Needs Linux, taskset (util-linux) and wrk.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { DataFolder } from '../test/integration/gateway/gateway-process.js';
import { describeMachine, median, show, showHead, showRow } from './support/figures.js';
import { fillMemberships } from './support/fill.js';
import { type BenchGateway, startGateway } from './support/gateway.js';
import { needWrk, offerLoad, runWrk, uidOf, type WrkResult } from './support/load.js';
import type { LoadResult } from './support/open-loop.js';
import { LOAD_CORE } from './support/processes.js';
import { startBareUws } from './support/start-bare-uws.js';

const { values } = parseArgs({
  options: {
    /** Which of the four. */
    parts: { type: 'string', default: 'misses,limit,hits,sitting' },
    /** Each user is in half of so many. */
    crowds: { type: 'string', default: '1200' },
    /** Of twice the capacity, each round; the others take a quarter of it. */
    seconds: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '1' },
    /** Of the load that does not wait. */
    connections: { type: 'string', default: '1000' },
  },
});
const [crowds, seconds, rounds] = [Number(values.crowds), Number(values.seconds), Number(values.rounds)];
const connections = Number(values.connections);
const USERS = 2_000;
/** Of the load that waits: enough to keep the gateway busy, and 64 times that. */
const [FEW, MANY] = [16, 1_024];
const NOMINAL = 0.7;
/** Answers a second, where the capacity is a setting: a fifth of what the generator can offer. */
const LIMIT = 3_000;
const WARM_UP_SECONDS = 5;
/** Far below what both cores can do: the question is what sitting costs the others. */
const [SITTERS, SITTERS_RATE] = [10_000, 2_000];
const SITTERS_WORKERS = [1, 4];

const NOBODY_CACHED = { QUANREN_GATEWAY_CACHE_ENTRIES: '16' };
const ALL_CACHED = { QUANREN_GATEWAY_CACHE_ENTRIES: String(10 * USERS) };
const LIMITED = { ...ALL_CACHED, QUANREN_GATEWAY_WORKER_USERS_PER_SECOND: String(LIMIT) };

const codeOf = (i: number): string => `campaign_audience_${String(i).padStart(4, '0')}`;

async function fill(data: DataFolder): Promise<void> {
  for (let i = 0; i < crowds; i++) await data.setCrowd(codeOf(i), 'active');
  await fillMemberships(data.memberships, USERS, uidOf, (user) =>
    Array.from({ length: Math.floor(crowds / 2) }, (_, k) => codeOf((user + 2 * k) % crowds)),
  );
}

async function withGateway(
  data: DataFolder,
  settings: Readonly<Record<string, string>>,
  run: (gateway: BenchGateway) => Promise<void>,
): Promise<void> {
  const gateway = await startGateway(data, settings);
  try {
    await waitingLoad(gateway, WARM_UP_SECONDS, FEW);
    await run(gateway);
  } finally {
    await gateway.process.stop();
  }
}

/** Over `clients` connections that wait for each reply; `perSecond` are those that were answered. */
async function waitingLoad({ url }: BenchGateway, forSeconds: number, clients: number): Promise<WrkResult> {
  const result = await runWrk({
    url,
    script: 'overload/targets.lua',
    seconds: forSeconds,
    connections: clients,
    args: [String(USERS), codeOf(0)],
  });
  // On a machine that does other things too, even few clients may at times be too many.
  return { ...result, perSecond: (result.perSecond * (result.requests - result.refused)) / result.requests };
}

/** Which crowds the user is in: hundreds. */
const listOf = (i: number): string => `/match?uid=${uidOf(i)}`;
/** Whether he is in one: a short answer, which costs the generator little. */
const verdictOf = (i: number): string => `${listOf(i)}&crowdCode=${codeOf(0)}`;
const MIXED = Array.from({ length: USERS }, (_, i) => (i % 2 === 0 ? listOf(i) : verdictOf(i)));
const SHORT = Array.from({ length: USERS }, (_, i) => verdictOf(i));

function offer(
  { port }: BenchGateway,
  perSecond: number,
  forSeconds: number,
  seed: number,
  targets: readonly string[],
) {
  return offerLoad({ port, perSecond, seconds: forSeconds, connections, targets, seed, spins: true });
}

interface Round {
  readonly capacity: number;
  readonly nominal: LoadResult;
  readonly twice: LoadResult;
  readonly after: LoadResult;
}

function showRounds(all: readonly Round[]): void {
  const columns = ['offered/s', 'answered/s', 'of capacity', 'p50 ms', 'p99 ms', 'refused/s', 'their p99 ms'];
  const more = ['unsent/s', 'failed', 'generator late, p99 ms'];
  showHead('', ...columns, ...more);
  showRow(`${FEW} connections that wait`, '', show(median(all.map((r) => r.capacity))), '1');
  const loads = [
    { name: `nominal: ${NOMINAL} of it`, share: NOMINAL, took: seconds / 4, pick: (r: Round) => r.nominal },
    { name: 'twice', share: 2, took: seconds, pick: (r: Round) => r.twice },
    { name: 'nominal again', share: NOMINAL, took: seconds / 4, pick: (r: Round) => r.after },
  ];
  for (const { name, share, took, pick } of loads) {
    const cell = (of: (result: LoadResult, capacity: number) => number, digits = 0) =>
      show(median(all.map((r) => of(pick(r), r.capacity))), digits);
    showRow(
      name,
      cell((_, capacity) => share * capacity),
      cell(({ accepted }) => accepted.count / took),
      cell(({ accepted }, capacity) => accepted.count / took / capacity, 2),
      cell(({ accepted }) => accepted.p50, 1),
      cell(({ accepted }) => accepted.p99, 1),
      cell(({ refused }) => refused.count / took),
      cell(({ refused }) => refused.p99, 1),
      cell(({ unsent }) => unsent / took),
      cell(({ failed }) => failed),
      cell(({ lateness }) => lateness.p99, 1),
    );
  }
}

async function offerTwice(
  data: DataFolder,
  what: string,
  settings: Readonly<Record<string, string>>,
  targets: readonly string[],
): Promise<void> {
  await withGateway(data, settings, async (gateway) => {
    const all: Round[] = [];
    for (let i = 0; i < rounds; i++) {
      const { perSecond: capacity } = await waitingLoad(gateway, seconds / 4, FEW);
      const nominal = await offer(gateway, NOMINAL * capacity, seconds / 4, 3 * i, targets);
      const twice = await offer(gateway, 2 * capacity, seconds, 3 * i + 1, targets);
      const after = await offer(gateway, NOMINAL * capacity, seconds / 4, 3 * i + 2, targets);
      all.push({ capacity, nominal, twice, after });
    }
    console.log(
      `\n${what}; twice the capacity for ${seconds} s a round, over ${connections} connections. Median of ${rounds} rounds.\n`,
    );
    showRounds(all);
  });
}

async function crowdHits(data: DataFolder): Promise<void> {
  await withGateway(data, ALL_CACHED, async (gateway) => {
    const [few, many]: [WrkResult[], WrkResult[]] = [[], []];
    for (let i = 0; i < rounds; i++) {
      few.push(await waitingLoad(gateway, seconds / 4, FEW));
      many.push(await waitingLoad(gateway, seconds / 4, MANY));
    }
    console.log('\nHits, over connections that wait for each reply.\n');
    showHead('connections', 'answered/s', 'p99 ms');
    for (const [clients, all] of [[FEW, few] as const, [MANY, many] as const])
      showRow(
        String(clients),
        show(median(all.map(({ perSecond }) => perSecond))),
        show(median(all.map(({ p99Ms }) => p99Ms)), 1),
      );
  });
}

interface Beside {
  readonly alone: LoadResult[];
  readonly beside: LoadResult[];
}

/** Without and with those that sit. */
async function besideSitters(port: number, seed: number, { alone, beside }: Beside): Promise<void> {
  const ask = (turn: number) =>
    offerLoad({
      ...{ port, perSecond: SITTERS_RATE, seconds: seconds / 4, connections },
      ...{ targets: SHORT, seed: seed + turn, spins: true },
    });
  alone.push(await ask(0));
  const program = path.join(import.meta.dirname, 'overload', 'sitting-connections.js');
  // Those that sit are to wait for the generator, not it for them.
  const args = [
    '-c',
    LOAD_CORE,
    'nice',
    '-n',
    '15',
    process.execPath,
    program,
    String(port),
    String(SITTERS),
  ];
  const sitters = spawn('taskset', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(sitters.stdout, 'data');
  beside.push(await ask(1));
  sitters.kill();
  await once(sitters, 'exit');
}

/** In turns with a bare uWebSockets.js server, and over one worker and several: who closes those that sit is uWebSockets.js. */
async function sitting(data: DataFolder): Promise<void> {
  const bare = await startBareUws();
  const measured = new Map<string, Beside>();
  const of = (name: string): Beside => {
    const found = measured.get(name) ?? { alone: [], beside: [] };
    measured.set(name, found);
    return found;
  };
  try {
    for (let i = 0; i < rounds; i++) {
      await besideSitters(Number(new URL(bare.url).port), 10 * i, of('bare uWebSockets.js'));
      for (const workers of SITTERS_WORKERS) {
        const settings = { ...ALL_CACHED, QUANREN_GATEWAY_WORKERS: String(workers) };
        await withGateway(data, settings, ({ port }) =>
          besideSitters(port, 10 * i, of(`the gateway, workers: ${workers}`)),
        );
      }
    }
  } finally {
    await bare.stop();
  }
  console.log(`\nHits at ${SITTERS_RATE}/s, alone and beside ${SITTERS} connections that sit.\n`);
  showHead('', 'p50 ms', 'p99 ms', 'failed', 'generator late, p99 ms');
  for (const [name, { alone, beside }] of measured)
    for (const [label, all] of [['alone', alone] as const, ['beside', beside] as const]) {
      const cell = (pick: (result: LoadResult) => number, digits: number) =>
        show(median(all.map(pick)), digits);
      showRow(
        `${name}, ${label}`,
        cell(({ accepted }) => accepted.p50, 2),
        cell(({ accepted }) => accepted.p99, 2),
        cell(({ failed }) => failed, 0),
        cell(({ lateness }) => lateness.p99, 2),
      );
    }
}

const PARTS: Readonly<Record<string, (data: DataFolder) => Promise<void>>> = {
  misses: (data) => offerTwice(data, 'Misses', NOBODY_CACHED, MIXED),
  limit: (data) => offerTwice(data, `Hits, at most ${LIMIT} a second`, LIMITED, SHORT),
  hits: crowdHits,
  sitting,
};

const names = values.parts.split(',');
const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  console.error(`There is no part '${unknown.join("', '")}'. There are: ${Object.keys(PARTS).join(', ')}.`);
  process.exit(2);
}

needWrk();
const data = new DataFolder();
try {
  console.error(`filling the store: ${USERS} users in ${Math.floor(crowds / 2)} crowds each …`);
  await fill(data);
  data.startBeats();
  console.log(`${describeMachine()} before\n`);
  for (const name of names) await PARTS[name]?.(data);
} finally {
  await data.remove();
}
