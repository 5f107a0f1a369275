/**
 * Load that does not wait for the server: requests leave at random times (Poisson) of a stated rate, whether or not
 * earlier ones were answered, each over a connection that has none under way. What finds every connection waiting is
 * not sent and counted: then the clients' own pool is what overflows. Times are from the moment a request was due.
 *
 * A process of its own: reads `LoadOrder` from its arguments, prints `LoadResult`, both JSON.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../test/differential/random.js';
import { RawHttpClient } from '../../test/support/raw-http-client.js';

export interface LoadOrder {
  readonly port: number;
  readonly perSecond: number;
  readonly seconds: number;
  readonly connections: number;
  /** Request targets, taken at random. */
  readonly targets: readonly string[];
  readonly seed: number;
  /** Whether it keeps its core busy between requests, so as to be punctual: where it has a core of its own. */
  readonly spins?: boolean;
}

export interface Latencies {
  readonly count: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadResult {
  /** 200. */
  readonly accepted: Latencies;
  /** 503 with Retry-After. */
  readonly refused: Latencies;
  /** Any other answer, a connection that broke, and no answer within `PATIENCE_MS`. */
  readonly failed: number;
  readonly unsent: number;
  /** How late this process itself was with a request: it is no fair judge where this is long. */
  readonly lateness: Latencies;
}

const PATIENCE_MS = 5_000;

function summarize(times: number[]): Latencies {
  const sorted = Float64Array.from(times).sort();
  const at = (part: number): number => sorted[Math.ceil(part * sorted.length) - 1] ?? Number.NaN;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** Between two requests of many clients that know nothing of each other: exponentially distributed. */
function gapMs(random: Random, perSecond: number): number {
  return (-Math.log(1 - random.next() / 2 ** 32) * 1_000) / perSecond;
}

async function run(order: LoadOrder): Promise<LoadResult> {
  const { port, perSecond, seconds, connections, targets, seed, spins = false } = order;
  const random = new Random(seed);
  const [accepted, refused, lateness]: [number[], number[], number[]] = [[], [], []];
  const clients = await Promise.all(Array.from({ length: connections }, () => RawHttpClient.connect(port)));
  const idle = [...clients];
  let [sent, answered, failed, unsent] = [0, 0, 0, 0];
  const ask = async (client: RawHttpClient, dueMs: number): Promise<void> => {
    const { status, head } = await client.get(random.pick(targets));
    const tookMs = performance.now() - dueMs;
    answered += 1;
    if (status === 200) accepted.push(tookMs);
    else if (status === 503 && /\nretry-after: \d/i.test(head)) refused.push(tookMs);
    else failed += 1;
    idle.push(client);
  };
  const endMs = performance.now() + seconds * 1_000;
  for (let dueMs = performance.now(); dueMs < endMs; dueMs += gapMs(random, perSecond)) {
    while (dueMs > performance.now()) await (spins ? nextTurn() : sleep(1));
    lateness.push(performance.now() - dueMs);
    // The one that was used longest ago: none of them must be idle for so long that the server closes it.
    const client = idle.shift();
    if (client === undefined) unsent += 1;
    else {
      sent += 1;
      // One whose connection broke is missing from the answers.
      ask(client, dueMs).catch(() => {});
    }
  }
  const deadlineMs = performance.now() + PATIENCE_MS;
  while (answered < sent && performance.now() < deadlineMs) await sleep(5);
  for (const client of clients) client.destroy();
  failed += sent - answered;
  return {
    accepted: summarize(accepted),
    refused: summarize(refused),
    failed,
    unsent,
    lateness: summarize(lateness),
  };
}

console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? '') as LoadOrder)));
process.exit(0);
