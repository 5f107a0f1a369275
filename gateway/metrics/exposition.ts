/** Folds the numbers of all workers into one prom-client registry, at the time of a scrape. */
import { type MetricObject, Registry } from 'prom-client';
import type { StoreServer } from '../../stores/store-server.js';
import { GATE_STATES, type GateState } from '../stream/shared-cache-gate.js';
import { MAIN_METRICS, WORKER_METRICS, type WorkerMetric, type WorkerMetricName } from './definitions.js';
import { eachSeries } from './worker-stats.js';

export interface MetricsSource {
  /** The last numbers of each worker that serves, by its place. */
  readonly workers: ReadonlyMap<number, Float64Array>;
  /** By place, the sum over the workers that are gone, so that counters never fall. */
  readonly departed: ReadonlyMap<number, Float64Array>;
  readonly restarts: ReadonlyMap<string, number>;
  readonly streamMessages: ReadonlyMap<string, number>;
  readonly deadLetters: ReadonlyMap<string, number>;
  readonly stalenessSeconds: number;
  /** Undefined where the bus did not say when it was last asked. */
  readonly lagMessages: number | undefined;
  /** undefined: there is no shared cache. */
  readonly sharedCache: GateState | undefined;
  readonly crowds: ReadonlyMap<string, number>;
  /** The servers of the store, as each worker that serves sees them. */
  readonly storeServers: ReadonlyMap<number, readonly StoreServer[]>;
  readonly build: Readonly<Record<string, string>>;
}

interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Adds the numbers of the worker that was in this place to those of its predecessors. */
export function addDeparted(departed: Map<number, Float64Array>, place: number, stats: Float64Array): void {
  const before = departed.get(place);
  departed.set(
    place,
    stats.map((value, i) => value + (before?.[i] ?? 0)),
  );
}

function workerValues(name: WorkerMetricName, source: MetricsSource): Value[] {
  const metric: WorkerMetric = WORKER_METRICS[name];
  const { workers, departed } = source;
  const places = [...new Set([...departed.keys(), ...workers.keys()])];
  const ofPlace = (place: number, at: number): number =>
    (departed.get(place)?.[at] ?? 0) + (workers.get(place)?.[at] ?? 0);
  const sumAt = (at: number): number => places.reduce((sum, place) => sum + ofPlace(place, at), 0);
  const series = eachSeries(name);
  if (metric.type === 'counter' && metric.isPerWorker) {
    return series.flatMap(({ at }) =>
      places.map((worker) => ({ labels: { worker }, value: ofPlace(worker, at) })),
    );
  }
  if (metric.type === 'counter') return series.map(({ labels, at }) => ({ labels, value: sumAt(at) }));
  if (metric.type === 'gauge') {
    return series.flatMap(({ at }) =>
      [...workers].map(([worker, stats]) => ({ labels: { worker }, value: stats[at] ?? 0 })),
    );
  }
  return series.flatMap(({ labels, at }): Value[] => {
    let count = 0;
    const buckets = [...metric.buckets, '+Inf'].map((le, i): Value => {
      count += sumAt(at + i);
      return { metricName: `${metric.name}_bucket`, labels: { ...labels, le }, value: count };
    });
    const sum = sumAt(at + metric.buckets.length + 1);
    return [
      ...buckets,
      { metricName: `${metric.name}_sum`, labels, value: sum },
      { metricName: `${metric.name}_count`, labels, value: count },
    ];
  });
}

function byLabel(label: string, counts: ReadonlyMap<string, number>): Value[] {
  return [...counts].map(([value, count]) => ({ labels: { [label]: value }, value: count }));
}

/** Per worker, told of so many servers at most: a cluster has a region server of ours for each of ten regions. */
const MAX_STORE_SERVERS = 64;

function byStoreServer(source: MetricsSource, pick: (server: StoreServer) => number): Value[] {
  return [...source.storeServers].flatMap(([worker, servers]) =>
    servers
      .slice(-MAX_STORE_SERVERS)
      .map((server) => ({ labels: { worker, server: server.name }, value: pick(server) })),
  );
}

function mainValues(name: keyof typeof MAIN_METRICS, source: MetricsSource): Value[] {
  switch (name) {
    case 'build':
      return [{ labels: source.build, value: 1 }];
    case 'workers':
      return [{ labels: {}, value: source.workers.size }];
    case 'restarts':
      return byLabel('reason', source.restarts);
    case 'staleness':
      return [{ labels: {}, value: source.stalenessSeconds }];
    case 'lag':
      return source.lagMessages === undefined ? [] : [{ labels: {}, value: source.lagMessages }];
    case 'lagSeconds':
      // What is not applied yet was published after the last proof.
      return source.lagMessages === undefined
        ? []
        : [{ labels: {}, value: source.lagMessages === 0 ? 0 : source.stalenessSeconds }];
    case 'streamMessages':
      return byLabel('type', source.streamMessages);
    case 'deadLetters':
      return byLabel('topic', source.deadLetters);
    case 'sharedCache':
      return source.sharedCache === undefined
        ? []
        : GATE_STATES.map((state) => ({ labels: { state }, value: Number(state === source.sharedCache) }));
    case 'crowds':
      return byLabel('status', source.crowds);
    case 'storeServerRows':
      return byStoreServer(source, ({ rowsInFlight }) => rowsInFlight);
    case 'storeServerLimit':
      return byStoreServer(source, ({ rowLimit }) => rowLimit);
    case 'storeServerWaiting':
      return byStoreServer(source, ({ rowsWaiting }) => rowsWaiting);
    case 'storeServerAway':
      return byStoreServer(source, ({ isAway }) => Number(isAway));
  }
}

/** A registry that asks `read` whenever it is scraped. */
export function createRegistry(read: () => MetricsSource): Registry {
  const registry = new Registry();
  const register = (metric: { name: string; help: string; type: string }, get: () => Value[]) => {
    const live = {
      ...metric,
      get: () => Promise.resolve({ ...metric, aggregator: 'sum', values: get() } as unknown as MetricObject),
      reset: () => {},
    };
    // prom-client's own metrics cannot be set to a histogram counted elsewhere; the registry only ever calls `get`.
    registry.registerMetric(live as unknown as Parameters<Registry['registerMetric']>[0]);
  };
  for (const name of Object.keys(MAIN_METRICS) as (keyof typeof MAIN_METRICS)[]) {
    register(MAIN_METRICS[name], () => mainValues(name, read()));
  }
  for (const name of Object.keys(WORKER_METRICS) as WorkerMetricName[]) {
    register(WORKER_METRICS[name], () => workerValues(name, read()));
  }
  return registry;
}
