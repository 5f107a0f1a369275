/** The measurements of the page; each gives rows of its tables. */
import { median, show } from '../support/figures.js';
import { runK6 } from '../support/k6.js';
import { runWrk } from '../support/load.js';
import { cpuSeconds } from '../support/processes.js';
import { describeShares, readCounters } from './counters.js';
import type { Page } from './page.js';

/** A gateway, and whom to ask it for: the settings of bench/k6/users.js. */
export interface Target {
  readonly url: string;
  readonly metricsUrl: string | undefined;
  /** Where they are ours to look at. */
  readonly pids: readonly number[] | undefined;
  readonly who: Readonly<Record<string, string>>;
}

export type Kind = 'hit' | 'mixed' | 'miss';

const CONNECTIONS = 64;
/** Of an answer at a stated rate, in milliseconds: 99% and 99.9%. */
const [P99_MS, P999_MS] = [5, 25];
const REFUSAL_P99_MS = 5;
/** As overload.js has it. */
const NOMINAL = 0.7;
/** Of the rate of hits over the embedded store and bus. */
const LEAST_OF_BASELINE = 0.95;
const WARM_UP_SECONDS = 4;

export const CAPACITY_HEAD = [
  ...['asked for', 'answered/s', 'refused/s', 'p50 ms', 'p99 ms', 'gateway CPU µs/answer', 'answered from'],
];

function load({ url, who }: Target, kind: Kind, seconds: number) {
  const environment = { ...who, KIND: kind, SEED: String(Date.now() % 1e6) };
  return runWrk({ url, script: 'sre/mix.lua', seconds, connections: CONNECTIONS, environment });
}

/** With clients that ask as soon as they are answered. */
export async function measureCapacity(target: Target, kind: Kind, seconds: number): Promise<string[]> {
  const { metricsUrl, pids } = target;
  await load(target, kind, WARM_UP_SECONDS);
  const before = metricsUrl === undefined ? undefined : await readCounters(metricsUrl);
  const cpuBefore = pids === undefined ? Number.NaN : cpuSeconds(pids);
  const { requests, refused, perSecond, p50Ms, p99Ms } = await load(target, kind, seconds);
  const cpu = pids === undefined ? Number.NaN : cpuSeconds(pids) - cpuBefore;
  const shares =
    metricsUrl === undefined || before === undefined
      ? '–'
      : describeShares(before, await readCounters(metricsUrl));
  const answered = requests - refused;
  return [
    ...[kind, show((perSecond * answered) / requests), show((perSecond * refused) / requests)],
    ...[show(p50Ms, 2), show(p99Ms, 2), show((cpu * 1e6) / answered, 1), shares],
  ];
}

const LATENCIES = ['med', 'p(99)', 'p(99.9)', 'max'];
export const LATENCY_HEAD = [
  'asked for',
  'requests/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'max ms',
  'failed',
  'not sent',
  'kept',
];

/** At a stated rate, whether or not earlier requests were answered. */
export async function measureLatency(
  page: Page,
  { url, who }: Target,
  kind: Kind,
  rate: number,
  seconds: number,
): Promise<string[]> {
  const limits = { P99_MS: String(P99_MS), P999_MS: String(P999_MS) };
  const settings = {
    BASE_URL: url,
    KIND: kind,
    RATE: String(rate),
    DURATION: `${seconds}s`,
    ...limits,
    ...who,
  };
  const { metrics, missed } = await runK6('steady.js', settings);
  for (const each of missed) page.miss(`${kind} at ${rate}/s: ${each}`);
  const of = (name: string): Readonly<Record<string, number>> => metrics[`${name}{scenario:steady}`] ?? {};
  return [
    ...[kind, show(rate)],
    ...LATENCIES.map((part) => show(of('http_req_duration')[part] ?? Number.NaN, 2)),
    showFailed(of('http_req_failed')),
    show(of('dropped_iterations').count ?? 0),
    missed.length === 0 ? 'yes' : '**no**',
  ];
}

/** k6 gives the share of a rate as its `value`. */
const showFailed = ({ value = Number.NaN }: Readonly<Record<string, number>>): string =>
  `${show(100 * value, 2)} %`;

export const OVERLOAD_HEAD = [
  'asked for',
  'requests/s',
  'answered/s',
  'p50 ms',
  'p99 ms',
  'refused/s',
  'their p99 ms',
  'failed',
  'not sent',
];

/** Cached users, twice as many as the gateway is set to answer (`limit`, a second), between times of 0.7 of it. */
export async function measureOverload(
  page: Page,
  { url, who }: Target,
  limit: number,
  seconds: number,
): Promise<string[][]> {
  const { metrics, missed } = await runK6('overload.js', {
    BASE_URL: url,
    KIND: 'hit',
    CAPACITY: String(limit),
    SECONDS: String(seconds),
    P99_MS: String(P99_MS),
    P999_MS: String(P999_MS),
    REFUSAL_P99_MS: String(REFUSAL_P99_MS),
    ...who,
  });
  for (const each of missed) page.miss(`overload: ${each}`);
  const of = (name: string): Readonly<Record<string, number>> => metrics[name] ?? {};
  const times = (name: string): string[] =>
    ['med', 'p(99)'].map((part) => show(of(name)[part] ?? Number.NaN, 2));
  const failures = (scenario: string): string[] => [
    showFailed(of(`http_req_failed{scenario:${scenario}}`)),
    show(of(`dropped_iterations{scenario:${scenario}}`).count ?? 0),
  ];
  const perSecond = (count: number | undefined, during: number): string =>
    show((count ?? Number.NaN) / during);
  const calm = (scenario: string): string[] => [
    ...[`0.7 of it (${scenario})`, show(NOMINAL * limit)],
    // Of a rate, `fails` are those for which it did not hold.
    perSecond(of(`http_req_failed{scenario:${scenario}}`).fails, Math.ceil(seconds / 3)),
    ...[...times(`http_req_duration{scenario:${scenario}}`), '–', '–', ...failures(scenario)],
  ];
  const [nominalP99, answeredP99] = ['http_req_duration{scenario:nominal}', 'answered_duration'].map(
    (name) => of(name)['p(99)'] ?? Number.NaN,
  ) as [number, number];
  if (!(answeredP99 <= 2 * nominalP99)) {
    const [late, nominal] = [show(answeredP99, 2), show(nominalP99, 2)];
    page.miss(`overload: p99 of the answers ${late} ms is more than twice the nominal ${nominal} ms`);
  }
  const twice = [
    ...['twice', show(2 * limit), perSecond(of('answered').count, seconds), ...times('answered_duration')],
    ...[perSecond(of('refused').count, seconds), times('refused_duration')[1] ?? '', ...failures('twice')],
  ];
  return [calm('nominal'), twice, calm('after')];
}

export const HITS_HEAD = [
  ...['hits of', 'answered/s', 'of bare', 'of the baseline', 'gateway CPU µs/answer', 'of the baseline'],
];

/** Hits of several servers in turns; ratios are taken round by round. The first is bare, the second the baseline of the last. */
export async function compareHits(
  page: Page,
  servers: readonly (Target & { readonly name: string })[],
  rounds: number,
): Promise<string[][]> {
  const results = servers.map(() => ({ perSecond: [] as number[], cpuMicros: [] as number[] }));
  const one = async (i: number, seconds: number, counts: boolean): Promise<void> => {
    const [server, result] = [servers[i], results[i]];
    if (server === undefined || result === undefined) return;
    const before = cpuSeconds(server.pids ?? []);
    const { requests, perSecond } = await load(server, 'hit', seconds);
    if (!counts) return;
    result.perSecond.push(perSecond);
    result.cpuMicros.push(((cpuSeconds(server.pids ?? []) - before) * 1e6) / requests);
  };
  const order = servers.map((_, i) => i);
  for (const i of order) await one(i, WARM_UP_SECONDS, false);
  for (let round = 0; round < rounds; round++)
    for (const i of round % 2 === 0 ? order : order.toReversed()) await one(i, 2, true);
  const ratio = (above: number, below: number, of: 'perSecond' | 'cpuMicros' = 'perSecond'): number =>
    median((results[above]?.[of] ?? []).map((figure, k) => figure / (results[below]?.[of][k] ?? Number.NaN)));
  const last = servers.length - 1;
  const ofBaseline = ratio(last, 1);
  if (!(ofBaseline >= LEAST_OF_BASELINE)) {
    const least = `less than ${LEAST_OF_BASELINE} of ${servers[1]?.name}`;
    page.miss(`hits of ${servers[last]?.name}: ${show(ofBaseline, 2)}, ${least}`);
  }
  return servers.map(({ name }, i) => [
    ...[name, show(median(results[i]?.perSecond ?? [])), show(ratio(i, 0), 2)],
    ...[i === 0 ? '' : show(ratio(i, 1), 2), show(median(results[i]?.cpuMicros ?? []), 1)],
    i === 0 ? '' : show(ratio(i, 1, 'cpuMicros'), 2),
  ]);
}
