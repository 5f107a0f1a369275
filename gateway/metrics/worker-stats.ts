/** The numbers of one worker, and where each metric lies in them. */
import { RETRY_CAUSES } from '../../stores/hbase/client/failures.js';
import {
  ENDPOINTS,
  type Endpoint,
  OUTCOMES,
  type Outcome,
  WORKER_METRICS,
  type WorkerMetric,
  type WorkerMetricName,
} from './definitions.js';

function seriesOf(metric: WorkerMetric): number {
  if (metric.type === 'gauge') return 1;
  return Object.values(metric.labels).reduce((product, values) => product * values.length, 1);
}

/** Numbers per series: a histogram has one per bucket (not cumulated, the last for what is above), and the sum. */
export function widthOf(metric: WorkerMetric): number {
  return metric.type === 'histogram' ? metric.buckets.length + 2 : 1;
}

function layOut(): { offsets: Readonly<Record<WorkerMetricName, number>>; size: number } {
  const offsets: Record<string, number> = {};
  let size = 0;
  for (const [name, metric] of Object.entries(WORKER_METRICS)) {
    offsets[name] = size;
    size += seriesOf(metric) * widthOf(metric);
  }
  return { offsets: offsets as Record<WorkerMetricName, number>, size };
}

export const { offsets: OFFSETS, size: STATS_SIZE } = layOut();

/** Every series of a metric: its labels, and where it starts. */
export function eachSeries(name: WorkerMetricName): { labels: Record<string, string>; at: number }[] {
  const metric: WorkerMetric = WORKER_METRICS[name];
  let series: Record<string, string>[] = [{}];
  if (metric.type !== 'gauge') {
    for (const [label, values] of Object.entries(metric.labels)) {
      series = series.flatMap((labels) => values.map((value) => ({ ...labels, [label]: value })));
    }
  }
  return series.map((labels, i) => ({ labels, at: OFFSETS[name] + i * widthOf(metric) }));
}

type SingleName = {
  [N in WorkerMetricName]: (typeof WORKER_METRICS)[N] extends { type: 'counter' | 'gauge' } ? N : never;
}[WorkerMetricName];

/** The place of requests_total{endpoint="match",outcome="ok"}: both are the first of their list. */
const MATCH_REQUESTS = OFFSETS.requests;

export class WorkerStats {
  readonly values = new Float64Array(STATS_SIZE);

  /** For metrics without labels. */
  add(name: SingleName, amount = 1): void {
    this.values[OFFSETS[name]] = (this.values[OFFSETS[name]] as number) + amount;
  }

  set(name: SingleName, value: number): void {
    this.values[OFFSETS[name]] = value;
  }

  countRequest(endpoint: Endpoint, outcome: Outcome): void {
    const at = OFFSETS.requests + ENDPOINTS.indexOf(endpoint) * OUTCOMES.length + OUTCOMES.indexOf(outcome);
    this.values[at] = (this.values[at] as number) + 1;
  }

  /** A request of /match that was answered fresh. */
  countMatch(): void {
    this.values[MATCH_REQUESTS] = (this.values[MATCH_REQUESTS] as number) + 1;
  }

  /** `cause`: one of `RETRY_CAUSES`. */
  countRetries(cause: string, rows: number): void {
    const at = OFFSETS.storeRetries + RETRY_CAUSES.indexOf(cause);
    this.values[at] = (this.values[at] as number) + rows;
  }

  countHit(isNegative: boolean): void {
    this.values[OFFSETS.hits] = (this.values[OFFSETS.hits] as number) + 1;
    if (isNegative) this.add('negativeHits');
  }

  observe(name: 'batchSize' | 'readDuration' | 'sharedReadDuration', value: number): void {
    this.#observe(OFFSETS[name], WORKER_METRICS[name].buckets, value, 1);
  }

  /** `weight`: how many requests this one stands for. */
  observeDuration(endpoint: Endpoint, seconds: number, weight = 1): void {
    const { buckets } = WORKER_METRICS.duration;
    const at = OFFSETS.duration + ENDPOINTS.indexOf(endpoint) * widthOf(WORKER_METRICS.duration);
    this.#observe(at, buckets, seconds, weight);
  }

  #observe(at: number, buckets: readonly number[], value: number, weight: number): void {
    let bucket = 0;
    while (bucket < buckets.length && value > (buckets[bucket] as number)) bucket += 1;
    this.values[at + bucket] = (this.values[at + bucket] as number) + weight;
    const sum = at + buckets.length + 1;
    this.values[sum] = (this.values[sum] as number) + value * weight;
  }
}
