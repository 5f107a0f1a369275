/**
 * Latency of a bus from before `publish` in one process to `onBatch` in another, and its throughput within one. Prints one
 * line a figure.
 */
import { fork } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { KafkaConnection } from '../../events/kafka/kafka-connection.js';
import type { TagChangeMessage } from '../../events/messages.js';
import { openEventBus } from '../../events/open-event-bus.js';

/** Where the bus is, as `openEventBus` takes it. */
export interface Place {
  readonly folder: string;
  readonly kafka: KafkaConnection | null;
}

export const MESSAGES = 2_000;
export const PAUSE_MS = 5;
const BULK = 200_000;
const BULK_CALL = 10_000;

const clockMs = () => performance.timeOrigin + performance.now();
export const message = (uid: string) => {
  const value: TagChangeMessage = { uid, tagCode: 'rt_page', value: String(clockMs()), changeTimeMs: 1 };
  return { key: uid, value };
};
const print = (line: string) => process.stdout.write(`${line}\n`);
const fail = (error: unknown) => {
  throw error;
};

function percentile(sorted: readonly number[], part: number): string {
  return `${(sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN).toFixed(2)} ms`;
}

export async function measureLatency(place: Place): Promise<void> {
  const bus = await openEventBus(place);
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
  const child = fork(fileURLToPath(new URL('./publish-slowly.js', import.meta.url)), [JSON.stringify(place)]);
  await new Promise((resolve) => child.once('exit', resolve));
  while (latenciesMs.length < MESSAGES) await delay(10);
  latenciesMs.sort((a, b) => a - b);
  print(
    `publish to onBatch across processes, one message each ${PAUSE_MS} ms, ${MESSAGES} messages: ` +
      `p50 ${percentile(latenciesMs, 0.5)}, p99 ${percentile(latenciesMs, 0.99)}, max ${percentile(latenciesMs, 1)}`,
  );
  await bus.close();
}

export async function measureThroughput(place: Place): Promise<void> {
  const bus = await openEventBus(place);
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
