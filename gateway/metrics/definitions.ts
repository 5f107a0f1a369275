/**
 * Every metric of the gateway, in one table. docs/metrics.md explains them; a test holds the two together.
 *
 * A worker counts in one array of numbers (`Float64Array`), in which each metric has its place: counting is an addition
 * at a known index, with no label to hash. The main process gives the numbers their names when it is scraped.
 */

import { RETRY_CAUSES } from '../../stores/hbase/client/failures.js';

/** `outcome` of a request. `stale` was answered, and said so. */
export const OUTCOMES = [
  'ok',
  'stale',
  'bad_request',
  'unauthenticated',
  'forbidden',
  'not_found',
  'method_not_allowed',
  'too_large',
  'unavailable',
  'overloaded',
  'internal',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const ENDPOINTS = ['match', 'match_batch', 'tags', 'other'] as const;
export type Endpoint = (typeof ENDPOINTS)[number];

/** Upper ends, in seconds; a hit takes some microseconds of CPU. */
export const DURATION_BUCKETS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
] as const;
const SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256] as const;

interface Labels {
  readonly [name: string]: readonly string[];
}

interface Named {
  readonly name: string;
  readonly help: string;
}
interface CounterMetric extends Named {
  readonly type: 'counter';
  readonly labels: Labels;
  /** Labelled with the worker's place, which a worker that replaces another takes over; else the sum over all. */
  readonly isPerWorker: boolean;
}
/** One value per worker, labelled with its place. */
interface GaugeMetric extends Named {
  readonly type: 'gauge';
}
interface HistogramMetric extends Named {
  readonly type: 'histogram';
  readonly labels: Labels;
  readonly buckets: readonly number[];
}
export type WorkerMetric = CounterMetric | GaugeMetric | HistogramMetric;

const PREFIX = 'quanren_gateway_';

function counter(name: string, help: string, labels: Labels = {}): CounterMetric {
  return { type: 'counter', name: PREFIX + name, help, labels, isPerWorker: false };
}

function workerCounter(name: string, help: string): CounterMetric {
  return { type: 'counter', name: PREFIX + name, help, labels: {}, isPerWorker: true };
}

function gauge(name: string, help: string): GaugeMetric {
  return { type: 'gauge', name: PREFIX + name, help };
}

function histogram(
  name: string,
  help: string,
  buckets: readonly number[],
  labels: Labels = {},
): HistogramMetric {
  return { type: 'histogram', name: PREFIX + name, help, buckets, labels };
}

export const WORKER_METRICS = {
  requests: counter('requests_total', 'Requests answered', { endpoint: ENDPOINTS, outcome: OUTCOMES }),
  duration: histogram(
    'request_duration_seconds',
    'From the parsed request to its reply; of matches answered at once every 64th is timed and counts for 64',
    DURATION_BUCKETS,
    { endpoint: ENDPOINTS },
  ),
  hits: counter('cache_hits_total', 'Users answered from the cache'),
  negativeHits: counter('cache_negative_hits_total', 'Those of the hits that are in no crowd'),
  misses: counter('cache_misses_total', 'Users not found in the cache'),
  fills: counter('cache_fills_total', 'Users kept in the cache after a read'),
  refreshes: counter('cache_refreshes_total', 'Users read anew before their entry ended'),
  evictions: counter('cache_evictions_total', 'Users given up to make room'),
  drops: counter('cache_generation_drops_total', 'Reads not kept because a change overtook them'),
  coalesced: counter('coalesced_reads_total', 'Misses that joined a read already under way'),
  sharedReads: counter('shared_cache_reads_total', 'Users asked of the shared cache (Redis)'),
  sharedHits: counter('shared_cache_hits_total', 'Those of them that it knew'),
  sharedReadDuration: histogram(
    'shared_cache_read_duration_seconds',
    'One read of the shared cache',
    DURATION_BUCKETS,
  ),
  shed: counter('shed_reads_total', 'Users not read and refused because the worker was behind with its work'),
  batchSize: histogram('store_batch_size', 'Users in one read of the store', SIZE_BUCKETS),
  readDuration: histogram('store_read_duration_seconds', 'One read of the store', DURATION_BUCKETS),
  storeRetries: counter('store_retries_total', 'Rows asked for again of HBase, by what had befallen them', {
    cause: RETRY_CAUSES,
  }),
  cpu: workerCounter('worker_cpu_seconds_total', 'CPU time of the worker, user and system'),
  inFlight: gauge('requests_in_flight', 'Requests whose reply is still to come'),
  limit: gauge('store_concurrency_limit', 'Users that may be read from the store at once'),
  reading: gauge('store_reads_in_flight', 'Users being read from the store'),
  entries: gauge('cache_entries', 'Users in the cache, out-of-date ones included'),
  setBytes: gauge('cache_set_bytes', 'Memory of the distinct sets of crowds in the cache'),
  sharedAway: gauge(
    'shared_cache_away',
    '1 while the worker does without Redis, which is away or slow (its breaker is open), else 0',
  ),
  loopLag: gauge('event_loop_lag_seconds', 'Longest delay of the event loop within the last minute'),
} as const satisfies Record<string, WorkerMetric>;

export type WorkerMetricName = keyof typeof WORKER_METRICS;

interface MainMetric extends Named {
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
}

/** What the main process itself knows. */
export const MAIN_METRICS = {
  build: {
    name: 'quanren_gateway_build_info',
    help: 'Always 1; the labels tell what runs',
    type: 'gauge',
    labels: ['version', 'node', 'transport'],
  },
  workers: { name: 'quanren_gateway_workers', help: 'Workers that serve', type: 'gauge', labels: [] },
  restarts: {
    name: 'quanren_gateway_worker_restarts_total',
    help: 'Workers replaced, by what had happened to the old one',
    type: 'counter',
    labels: ['reason'],
  },
  staleness: {
    name: 'quanren_gateway_stream_staleness_seconds',
    help: 'Age of the last proof that the stream of changes is followed',
    type: 'gauge',
    labels: [],
  },
  lag: {
    name: 'quanren_gateway_stream_lag_messages',
    help: 'Messages of the stream that are published and not yet applied',
    type: 'gauge',
    labels: [],
  },
  lagSeconds: {
    name: 'quanren_gateway_stream_lag_seconds',
    help: 'How long the oldest of these may have waited; 0 where there is none',
    type: 'gauge',
    labels: [],
  },
  streamMessages: {
    name: 'quanren_gateway_stream_messages_total',
    help: 'Messages of the stream that were applied, by type',
    type: 'counter',
    labels: ['type'],
  },
  deadLetters: {
    name: 'quanren_gateway_stream_dead_letters_total',
    help: 'Messages of the stream put aside because they break their schema, by topic',
    type: 'counter',
    labels: ['topic'],
  },
  sharedCache: {
    name: 'quanren_gateway_shared_cache_state',
    help: '1 for the state it is in, else 0; no series where there is no shared cache',
    type: 'gauge',
    labels: ['state'],
  },
  crowds: {
    name: 'quanren_gateway_catalog_crowds',
    help: 'Crowds known, by status',
    type: 'gauge',
    labels: ['status'],
  },
  storeServerRows: {
    name: 'quanren_gateway_store_server_rows_in_flight',
    help: 'Rows asked of a region server of HBase whose answer is still to come',
    type: 'gauge',
    labels: ['worker', 'server'],
  },
  storeServerLimit: {
    name: 'quanren_gateway_store_server_row_limit',
    help: 'How many these may be',
    type: 'gauge',
    labels: ['worker', 'server'],
  },
  storeServerWaiting: {
    name: 'quanren_gateway_store_server_rows_waiting',
    help: 'Rows that wait to be asked of it',
    type: 'gauge',
    labels: ['worker', 'server'],
  },
  storeServerAway: {
    name: 'quanren_gateway_store_server_away',
    help: '1 while it cannot be reached and is not asked (its breaker is open), else 0',
    type: 'gauge',
    labels: ['worker', 'server'],
  },
} as const satisfies Record<string, MainMetric>;
