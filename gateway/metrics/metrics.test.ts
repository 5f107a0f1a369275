import assert from 'node:assert/strict';
import { test } from 'node:test';
import { documentedMetrics } from '../../test/support/metrics-doc.js';
import { MAIN_METRICS, WORKER_METRICS, type WorkerMetric } from './definitions.js';
import { addDeparted, createRegistry, type MetricsSource } from './exposition.js';
import { WorkerStats } from './worker-stats.js';

test('docs/metrics.md has every metric with its type, labels and meaning, and no other', () => {
  const ofWorkers = (Object.values(WORKER_METRICS) as WorkerMetric[]).map((metric) => ({
    ...{ name: metric.name, type: metric.type, help: metric.help },
    labels:
      metric.type === 'gauge' || (metric.type === 'counter' && metric.isPerWorker)
        ? ['worker']
        : Object.keys(metric.labels),
  }));
  assert.deepEqual(documentedMetrics(), [...ofWorkers, ...Object.values(MAIN_METRICS)]);
});

function sourceOf(workers: WorkerStats[], departed = new Map<number, Float64Array>()): MetricsSource {
  return {
    workers: new Map(workers.map((stats, i) => [i, stats.values])),
    departed,
    restarts: new Map([['stuck', 2]]),
    streamMessages: new Map(),
    deadLetters: new Map(),
    stalenessSeconds: 1.5,
    lagMessages: 7,
    crowds: new Map([['active', 8]]),
    sharedCache: 'warming',
    storeServers: new Map([
      [0, [{ name: 'rs1:16020', rowsInFlight: 3, rowLimit: 2_048, rowsWaiting: 7, isAway: true }]],
    ]),
    build: { version: '1', node: '20', transport: 'uws' },
  };
}

test('counters and histograms add up over workers, living and gone; gauges stay apart', async () => {
  const [first, second, gone] = [new WorkerStats(), new WorkerStats(), new WorkerStats()];
  for (const stats of [first, second, gone]) {
    stats.countMatch();
    stats.countHit(true);
    stats.countRetries('RegionMovedException', 4);
    stats.countRequest('tags', 'overloaded');
    stats.observeDuration('match', 0.0001);
    stats.observeDuration('match', 0.0002, 64);
    stats.observeDuration('match', 9);
    stats.set('limit', 100);
    stats.set('cpu', 2.5);
  }
  const departed = new Map<number, Float64Array>();
  addDeparted(departed, 1, gone.values);
  const text = await createRegistry(() => sourceOf([first, second], departed)).metrics();
  const has = (line: string) => assert.ok(text.split('\n').includes(line), `${line} is not in\n${text}`);
  has('quanren_gateway_requests_total{endpoint="match",outcome="ok"} 3');
  has('quanren_gateway_requests_total{endpoint="tags",outcome="overloaded"} 3');
  has('quanren_gateway_cache_hits_total 3');
  has('quanren_gateway_cache_negative_hits_total 3');
  has('quanren_gateway_request_duration_seconds_bucket{endpoint="match",le="0.0001"} 3');
  has('quanren_gateway_request_duration_seconds_bucket{endpoint="match",le="0.00025"} 195');
  has('quanren_gateway_request_duration_seconds_bucket{endpoint="match",le="2.5"} 195');
  has('quanren_gateway_request_duration_seconds_bucket{endpoint="match",le="+Inf"} 198');
  has('quanren_gateway_request_duration_seconds_count{endpoint="match"} 198');
  has('quanren_gateway_store_concurrency_limit{worker="1"} 100');
  has('quanren_gateway_worker_restarts_total{reason="stuck"} 2');
  has('quanren_gateway_workers 2');
  has('quanren_gateway_worker_cpu_seconds_total{worker="0"} 2.5');
  has('quanren_gateway_worker_cpu_seconds_total{worker="1"} 5');
  has('quanren_gateway_stream_lag_messages 7');
  has('quanren_gateway_stream_lag_seconds 1.5');
  has('quanren_gateway_shared_cache_state{state="warming"} 1');
  has('quanren_gateway_shared_cache_state{state="open"} 0');
  has('quanren_gateway_store_retries_total{cause="RegionMovedException"} 12');
  has('quanren_gateway_store_retries_total{cause="other"} 0');
  has('quanren_gateway_store_server_rows_in_flight{worker="0",server="rs1:16020"} 3');
  has('quanren_gateway_store_server_row_limit{worker="0",server="rs1:16020"} 2048');
  has('quanren_gateway_store_server_rows_waiting{worker="0",server="rs1:16020"} 7');
  has('quanren_gateway_store_server_away{worker="0",server="rs1:16020"} 1');
  const sum = /duration_seconds_sum\{endpoint="match"\} (\S+)/.exec(text)?.[1];
  assert.ok(Math.abs(Number(sum) - 3 * (0.0001 + 64 * 0.0002 + 9)) < 1e-9);
});

test('a place whose worker is gone and not yet replaced keeps its counters, and has no gauge', async () => {
  const gone = new WorkerStats();
  gone.set('cpu', 2.5);
  const departed = new Map<number, Float64Array>();
  addDeparted(departed, 0, gone.values);
  addDeparted(departed, 0, gone.values);
  const source = { ...sourceOf([], departed), lagMessages: 0 };
  const text = await createRegistry(() => source).metrics();
  assert.match(text, /^quanren_gateway_worker_cpu_seconds_total\{worker="0"\} 5$/m);
  assert.doesNotMatch(text, /^quanren_gateway_event_loop_lag_seconds\{/m);
  assert.match(text, /^quanren_gateway_stream_lag_seconds 0$/m);
});
