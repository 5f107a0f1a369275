/**
 * The gateway offered more than it can do, three ways:
 *
 * 1. Misses, twice the capacity. wrk, whose connections wait for each reply, finds the capacity; then requests come at
 *    stated rates, answered or not (`overload/open-loop.ts`): 0.7 of the capacity (nominal), twice it, and nominal again,
 *    in turns, so that a machine that changes its pace changes it for all. So that the generator is not the limit, the
 *    work is made heavy: every user is in hundreds of crowds, and QUANREN_GATEWAY_CACHE_ENTRIES=16 makes each request
 *    read, sort and write them all.
 * 2. Hits, 16 times the connections: at the pace of the cache no generator on one core offers twice what the gateway on
 *    the other can do, so the load grows by connections that wait.
 * 3. Connections that only sit there, 10,000 of them, half of which write a byte every five seconds, beside hits at a
 *    stated rate.
 *
 * The gateway runs on core 0, the load on core 1.
 *
 *   npm run bench -- overload
 *   node dist/bench/overload.bench.js [--crowds 500] [--seconds 20] [--rounds 3] [--connections 1000]
 *
 * Needs Linux, taskset (util-linux) and wrk (Debian: apt install wrk).
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { findFreePort } from '../cli/ports.js';
import { DataFolder, until } from '../test/integration/gateway/gateway-process.js';
import type { LoadOrder, LoadResult } from './overload/open-loop.js';

const { values } = parseArgs({
  options: {
    /** Each user is in half of so many. */
    crowds: { type: 'string', default: '500' },
    /** Of twice the capacity, each round; the others take a quarter of it. */
    seconds: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '3' },
    /** Of the load that does not wait. */
    connections: { type: 'string', default: '1000' },
  },
});
const [crowds, seconds, rounds] = [Number(values.crowds), Number(values.seconds), Number(values.rounds)];
const connections = Number(values.connections);
const USERS = 2_000;
/** Of the load that waits: enough to keep the gateway busy, and 16 times that. */
const [FEW, MANY] = [64, 1_024];
const NOMINAL = 0.7;
/** Far below what both cores can do: the question is what sitting costs the others. */
const [SITTERS, SITTERS_RATE] = [10_000, 2_000];
const [SERVER_CORE, LOAD_CORE] = ['0', '1'];

const codeOf = (i: number): string => `campaign_audience_${String(i).padStart(4, '0')}`;
const uidOf = (i: number): string => `u${String(i).padStart(7, '0')}`;

async function fill(data: DataFolder): Promise<void> {
  for (let i = 0; i < crowds; i++) await data.setCrowd(codeOf(i), 'active');
  const changeTimeMs = Date.now() - 1_000;
  for (let user = 0; user < USERS; user++) {
    const changes = Array.from({ length: Math.floor(crowds / 2) }, (_, k) => ({
      uid: uidOf(user),
      crowdCode: codeOf((user + 2 * k) % crowds),
      kind: 'enter' as const,
      changeTimeMs,
    }));
    await data.memberships.apply(changes, Date.now());
  }
}

async function startGateway(
  data: DataFolder,
  cacheEntries: number,
): Promise<{ readonly port: number; readonly child: ChildProcess }> {
  const [port, metricsPort] = [await findFreePort(), await findFreePort()];
  const main = path.resolve(import.meta.dirname, '..', 'gateway', 'main.js');
  const child = spawn('taskset', ['-c', SERVER_CORE, process.execPath, main], {
    stdio: 'ignore',
    env: {
      ...process.env,
      QUANREN_DATA_DIR: data.folder,
      QUANREN_GATEWAY_PORT: String(port),
      QUANREN_GATEWAY_METRICS_PORT: String(metricsPort),
      QUANREN_GATEWAY_WORKERS: '1',
      QUANREN_GATEWAY_CACHE_ENTRIES: String(cacheEntries),
    },
  });
  const isReady = async () =>
    (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined))?.status === 200
      ? true
      : undefined;
  await until('the gateway', isReady, 60_000);
  return { port, child };
}

/** Runs a program on the load's core and returns what it prints; this process keeps its heartbeats going. */
async function onLoadCore(program: string, args: readonly string[]): Promise<string> {
  const child = spawn('taskset', ['-c', LOAD_CORE, program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`${program} ended with ${String(code)}: ${output}`);
  return output;
}

/** Over `clients` connections that wait for each reply: requests a second, and the 99th percentile in milliseconds. */
async function waitingLoad(
  port: number,
  forSeconds: number,
  clients: number,
): Promise<{ readonly perSecond: number; readonly p99: number }> {
  const script = path.resolve(import.meta.dirname, '..', '..', 'bench', 'overload', 'targets.lua');
  const options = ['-t1', `-c${clients}`, `-d${forSeconds}s`, '--latency', '-s', script];
  const output = await onLoadCore('wrk', [
    ...options,
    `http://127.0.0.1:${port}`,
    '--',
    String(USERS),
    codeOf(0),
  ]);
  if (/Non-2xx|Socket errors/.test(output)) throw new Error(output);
  const [, p99, unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(output) ?? [];
  return {
    perSecond: Number(/Requests\/sec:\s+([\d.]+)/.exec(output)?.[1]),
    p99: Number(p99) * ({ us: 0.001, ms: 1, s: 1_000 }[unit] ?? Number.NaN),
  };
}

async function offer(port: number, perSecond: number, forSeconds: number, seed: number): Promise<LoadResult> {
  const targets = Array.from({ length: USERS }, (_, i) =>
    i % 2 === 0 ? `/match?uid=${uidOf(i)}` : `/match?uid=${uidOf(i)}&crowdCode=${codeOf(0)}`,
  );
  const order: LoadOrder = { port, perSecond, seconds: forSeconds, connections, targets, seed };
  const program = path.join(import.meta.dirname, 'overload', 'open-loop.js');
  return JSON.parse(await onLoadCore(process.execPath, [program, JSON.stringify(order)])) as LoadResult;
}

interface Round {
  readonly capacity: number;
  readonly nominal: LoadResult;
  readonly twice: LoadResult;
  readonly after: LoadResult;
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
const show = (value: number, digits = 0): string => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const showRow = (...cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);

function showRounds(all: readonly Round[]): void {
  const columns = ['offered/s', 'answered/s', 'of capacity', 'p50 ms', 'p99 ms', 'refused/s', 'their p99 ms'];
  const more = ['unsent/s', 'failed', 'generator late, p99 ms'];
  showRow('', ...columns, ...more);
  showRow('---', ...[...columns, ...more].map(() => '---'));
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

async function offerMisses(data: DataFolder): Promise<void> {
  const { port, child } = await startGateway(data, 16);
  try {
    await waitingLoad(port, 2, FEW);
    const all: Round[] = [];
    for (let i = 0; i < rounds; i++) {
      const { perSecond: capacity } = await waitingLoad(port, seconds / 4, FEW);
      const nominal = await offer(port, NOMINAL * capacity, seconds / 4, 3 * i);
      const twice = await offer(port, 2 * capacity, seconds, 3 * i + 1);
      const after = await offer(port, NOMINAL * capacity, seconds / 4, 3 * i + 2);
      all.push({ capacity, nominal, twice, after });
    }
    console.log(
      `Misses; twice the capacity for ${seconds} s a round, over ${connections} connections. Median of ${rounds} rounds.\n`,
    );
    showRounds(all);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

async function crowdHits(data: DataFolder): Promise<void> {
  const { port, child } = await startGateway(data, 10 * USERS);
  try {
    await waitingLoad(port, 2, FEW);
    const few = [];
    const many = [];
    for (let i = 0; i < rounds; i++) {
      few.push(await waitingLoad(port, seconds / 4, FEW));
      many.push(await waitingLoad(port, seconds / 4, MANY));
    }
    console.log('\nHits, over connections that wait for each reply.\n');
    showRow('connections', 'answered/s', 'p99 ms');
    showRow('---', '---', '---');
    for (const [clients, all] of [[FEW, few] as const, [MANY, many] as const])
      showRow(
        String(clients),
        show(median(all.map((one) => one.perSecond))),
        show(median(all.map((one) => one.p99)), 1),
      );
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

/** Each round once without and once with those that sit, over one gateway. */
async function besideSitters(data: DataFolder): Promise<void> {
  const { port, child } = await startGateway(data, 10 * USERS);
  try {
    await waitingLoad(port, 2, FEW);
    const [alone, beside]: [LoadResult[], LoadResult[]] = [[], []];
    for (let i = 0; i < rounds; i++) {
      alone.push(await offer(port, SITTERS_RATE, seconds / 2, 5 * i));
      const program = path.join(import.meta.dirname, 'overload', 'sitting-connections.js');
      const sitters = spawn(
        'taskset',
        ['-c', LOAD_CORE, process.execPath, program, String(port), String(SITTERS)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      await once(sitters.stdout, 'data');
      beside.push(await offer(port, SITTERS_RATE, seconds / 2, 5 * i + 1));
      sitters.kill();
      await once(sitters, 'exit');
    }
    console.log(`\nHits at ${SITTERS_RATE}/s.\n`);
    showRow('beside', 'p50 ms', 'p99 ms', 'failed', 'generator late, p99 ms');
    showRow('---', '---', '---', '---', '---');
    for (const [name, all] of [
      ['nobody', alone],
      [`${SITTERS} that sit`, beside],
    ] as const) {
      const cell = (of: (result: LoadResult) => number, digits: number) => show(median(all.map(of)), digits);
      showRow(
        name,
        cell(({ accepted }) => accepted.p50, 2),
        cell(({ accepted }) => accepted.p99, 2),
        cell(({ failed }) => failed, 0),
        cell(({ lateness }) => lateness.p99, 2),
      );
    }
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
}

if (spawnSync('wrk', ['--version']).error !== undefined) {
  console.error('This bench needs wrk: apt install wrk');
  process.exit(1);
}
const data = new DataFolder();
try {
  console.error(`filling the store: ${USERS} users in ${Math.floor(crowds / 2)} crowds each …`);
  await fill(data);
  data.startBeats();
  const [cpu] = cpus();
  console.log(
    `${cpus().length} × ${cpu?.model}, Node ${process.versions.node}; load average before ${show(loadavg()[0] ?? 0, 1)}`,
  );
  await offerMisses(data);
  await crowdHits(data);
  await besideSitters(data);
} finally {
  await data.remove();
}
