/**
 * What the embedded bus does: `node dist/bench/bus.js`. Latency from before `publish` in one process to `onBatch` in
 * another, and throughput within one; every commit is synced to disk. Prints one line a figure.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openEmbeddedEventBus } from '../events/embedded/embedded-event-bus.js';
import type { TagChangeMessage } from '../events/messages.js';

const MESSAGES = 2_000;
const PAUSE_MS = 5;
const BULK = 200_000;
const BULK_CALL = 10_000;

const clockMs = () => performance.timeOrigin + performance.now();
const message = (uid: string) => {
  const value: TagChangeMessage = { uid, tagCode: 'rt_page', value: String(clockMs()), changeTimeMs: 1 };
  return { key: uid, value };
};
const print = (line: string) => process.stdout.write(`${line}\n`);
const fail = (error: unknown) => {
  throw error;
};

async function publishSlowly(folder: string): Promise<void> {
  const bus = openEmbeddedEventBus(folder);
  for (let i = 0; i < MESSAGES; i += 1) {
    await bus.publish('tag-changes', [message(`u${i}`)]);
    await delay(PAUSE_MS);
  }
  await bus.close();
}

function percentile(sorted: readonly number[], part: number): string {
  return `${(sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(2)} ms`;
}

async function measureLatency(folder: string): Promise<void> {
  const bus = openEmbeddedEventBus(folder);
  const latenciesMs: number[] = [];
  await bus.subscribe({
    topics: ['tag-changes'],
    group: 'bench',
    start: { from: 'latest' },
    onBatch: async (messages) => {
      const now = clockMs();
      for (const { value } of messages) latenciesMs.push(now - Number((value as TagChangeMessage).value));
    },
    onError: fail,
  });
  const child = fork(fileURLToPath(import.meta.url), [folder]);
  await new Promise((resolve) => child.once('exit', resolve));
  while (latenciesMs.length < MESSAGES) await delay(10);
  latenciesMs.sort((a, b) => a - b);
  print(
    `publish to onBatch across processes, one message each ${PAUSE_MS} ms, ${MESSAGES} messages: ` +
      `p50 ${percentile(latenciesMs, 0.5)}, p99 ${percentile(latenciesMs, 0.99)}, max ${percentile(latenciesMs, 1)}`,
  );
  await bus.close();
}

async function measureThroughput(folder: string): Promise<void> {
  const bus = openEmbeddedEventBus(folder);
  let start = performance.now();
  for (let at = 0; at < BULK; at += BULK_CALL) {
    await bus.publish(
      'tag-changes',
      Array.from({ length: BULK_CALL }, (_, i) => message(`u${at + i}`)),
    );
  }
  const perSecond = () => Math.round(BULK / ((performance.now() - start) / 1_000)).toLocaleString('en');
  print(`publish, ${BULK_CALL} messages a call: ${perSecond()}/s`);
  start = performance.now();
  const subscription = await bus.subscribe({
    topics: ['tag-changes'],
    group: 'bulk',
    start: { from: 'earliest' },
    onBatch: async () => undefined,
    onError: fail,
  });
  await subscription.caughtUp();
  print(`consume, 500 messages a batch: ${perSecond()}/s`);
  await bus.close();
}

const shared = process.argv[2];
if (shared !== undefined) await publishSlowly(shared);
else {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-bench-'));
  await measureLatency(path.join(folder, 'latency'));
  await measureThroughput(path.join(folder, 'throughput'));
  rmSync(folder, { recursive: true });
}
