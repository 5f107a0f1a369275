/**
 * The gateway's main process: it follows the stream of changes, watches over the workers that answer requests, and
 * serves the metrics.
 */
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createAuthenticator, toAuthOptions } from '../auth/authenticator.js';
import { checkExposure } from '../auth/exposure.js';
import type { ErrorLog } from '../errors/error-log.js';
import { QuanrenError } from '../errors/quanren-error.js';
import type { EventBus } from '../events/event-bus.js';
import type { Trust } from './cache/shared-cache.js';
import { createRegistry } from './metrics/exposition.js';
import { startMetricsServer } from './metrics/metrics-server.js';
import { anchorClock, type ClockAnchor, steadyClock } from './steady-clock.js';
import { keepSharedCache } from './stream/keep-shared-cache.js';
import { LagMeter } from './stream/lag-meter.js';
import { CLOCK_SKEW_MS } from './stream/shared-cache-gate.js';
import { StreamFollower } from './stream/stream-follower.js';
import { findTroubles } from './supervision/find-troubles.js';
import type { WorkerOptions } from './supervision/protocol.js';
import { StateLog } from './supervision/state-log.js';
import { WorkerPool } from './supervision/worker-pool.js';
import { chooseTransport } from './transport/choose-transport.js';

export interface GatewayOptions extends Omit<WorkerOptions, 'clock'> {
  readonly bus: EventBus;
  /** By topic, how many of its messages the bus has put aside for breaking their schema. */
  readonly deadLetters: ReadonlyMap<string, number>;
  readonly workers: number;
  readonly metricsPort: number;
  readonly workerHeapMib: number;
  readonly isUnsafeExposureAllowed: boolean;
  readonly version: string;
  readonly log: Logger;
  /** For what may fail again and again. */
  readonly errors: ErrorLog;
  /** Hears what the person who starts it should know. */
  readonly onWarning: (text: string) => void;
  /** Hears what goes wrong of that which the gateway lives by, and what is well again: a line each. */
  readonly onNews: (line: string) => void;
  /** The gateway cannot be kept alive: its process should end, so that whoever started it decides. */
  readonly onGiveUp: () => void;
}

export interface Gateway {
  readonly port: number;
  readonly metricsPort: number;
  /** Which HTTP server the workers use. */
  readonly transport: string;
  readonly workerPids: readonly number[];
  /** Resolves with what is wrong, once all that it lives by has shown whether it is there, or after 12 s. */
  firstLook(): Promise<readonly string[]>;
  /** Stops accepting, finishes what is in flight within the bound, ends the workers. The bus stays open. */
  stop(): Promise<void>;
}

/** Main's own bound, beyond the workers' drain. */
const STOP_GRACE_MS = 1_000;
const LOOK_EVERY_MS = 1_000;
/** A question to a bus that does not answer is given up after ten seconds; one that refuses is known after three. */
const FIRST_LOOK_WITHIN_MS = 12_000;
const FIRST_LOOK_EVERY_MS = 20;

function cannotListen(host: string, port: number, cause: NodeJS.ErrnoException): QuanrenError {
  const sentence =
    cause.code === 'EADDRINUSE' || cause.code === 'EACCES'
      ? `Port ${port} on ${host} is in use or not allowed; QUANREN_GATEWAY_PORT names another.`
      : `QUANREN_GATEWAY_HOST is ${host}, which is no address of this machine (${cause.code}).`;
  return new QuanrenError('set_up', sentence, { cause });
}

/**
 * Workers share a port by SO_REUSEPORT, which would let two gateways share one too: so the port is first taken alone.
 * Returns it, a free one for 0.
 */
async function claimPort(host: string, port: number): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(cannotListen(host, port, cause)));
    server.listen({ host, port, exclusive: true }, resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : port;
}

/** Throws `set_up`. Resolves when every worker listens; /match says 503 until the catalog is loaded. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const { bus, log, errors, onWarning } = options;
  const authenticator = createAuthenticator(toAuthOptions(options.auth));
  const exposure = checkExposure({
    host: options.host,
    authIsOn: authenticator.isOn,
    tlsIsOn: options.tls !== undefined,
    isUnsafeAllowed: options.isUnsafeExposureAllowed,
  });
  if (exposure !== undefined) onWarning(`Match gateway: ${exposure}`);
  const keyWarning = await authenticator.open();
  if (keyWarning !== undefined) onWarning(keyWarning);
  const { transport } = chooseTransport(options.transport);
  const workers = transport.canSharePort ? options.workers : 1;
  if (workers < options.workers) {
    onWarning(`${transport.name} cannot share a port here: one worker serves instead of ${options.workers}.`);
  }
  const port = await claimPort(options.host, options.port);

  const { redis, cacheTtlMs } = options;
  const clock = anchorClock();
  const now = steadyClock(clock);
  const onTrust = (trust: Trust | null) => pool.tell({ trust });
  const shared = redis === undefined ? undefined : keepSharedCache({ ...redis, cacheTtlMs, onTrust, now });
  const follower = new StreamFollower({
    bus,
    now,
    gate: shared?.gate,
    // What is known from before the start is no older; without any there is nothing to tell again.
    replayMs: shared === undefined && options.snapshots === undefined ? 0 : cacheTtlMs + 2 * CLOCK_SKEW_MS,
    onStep: (step) => pool.tell(step),
    // What the bus says is told with the state of the stream; anything else is a defect.
    onError: (error) => {
      if (!(error instanceof QuanrenError)) errors.note('The stream of changes', error);
    },
  });
  const pool = new WorkerPool({
    count: workers,
    module: path.join(import.meta.dirname, 'worker.js'),
    heapMib: options.workerHeapMib,
    workerOptions: pickWorkerOptions(options, port, clock),
    snapshot: () => follower.snapshot(),
    hasTold: () => follower.hasTold,
    onDeath: (place, reason, detail) =>
      log.error({ place, reason }, `A worker died (${detail}) and is replaced`),
    onWarning,
    onGiveUp: options.onGiveUp,
  });
  // Workers first: what the stream tells from its start on must reach them all.
  try {
    await pool.start();
  } catch (error) {
    await pool.stop(0);
    throw error;
  }
  const lag = new LagMeter(() => follower.lag());
  const registry = createRegistry(() => ({
    workers: pool.stats,
    storeServers: new Map(
      Array.from(pool.views, ([place, view]) => [place, view?.storeServers ?? []] as const),
    ),
    departed: pool.departed,
    restarts: pool.restarts,
    streamMessages: follower.messages,
    deadLetters: options.deadLetters,
    stalenessSeconds: follower.stalenessMs / 1_000,
    lagMessages: lag.messages,
    crowds: follower.crowdCounts,
    sharedCache: shared?.state,
    build: { version: options.version, node: process.versions.node, transport: pool.transportName },
  }));
  const states = new StateLog(log, options.onNews);
  const look = (): ReadonlyMap<string, string> => {
    const troubles = findTroubles({
      stream: follower,
      staleAfterMs: options.staleAfterMs,
      sharedCacheTrouble: shared?.trouble,
      workers: [...pool.views.values()].filter((view) => view !== undefined),
    });
    states.look(troubles);
    return troubles;
  };
  const isAllKnown = (): boolean =>
    (Number.isFinite(follower.stalenessMs) || follower.trouble !== undefined) &&
    [...pool.views.values()].every((view) => view !== undefined);
  let looking: NodeJS.Timeout | undefined;
  let metrics: Awaited<ReturnType<typeof startMetricsServer>> | undefined;
  const stop = async (): Promise<void> => {
    log.info('The gateway stops');
    clearInterval(looking);
    lag.stop();
    await pool.stop(options.drainWithinMs + STOP_GRACE_MS);
    await follower.close();
    await shared?.close();
    await metrics?.close();
  };
  try {
    metrics = await startMetricsServer(registry, options.metricsPort, (error) =>
      errors.note('Writing the metrics', error),
    );
    await shared?.connected();
    looking = setInterval(look, LOOK_EVERY_MS);
    // It ends with the gateway.
    follower.start(pool.held).catch(() => log.info('The stream is no longer followed'));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    metricsPort: metrics.port,
    transport: pool.transportName,
    get workerPids() {
      return pool.pids;
    },
    firstLook: async () => {
      const deadlineMs = performance.now() + FIRST_LOOK_WITHIN_MS;
      while (!isAllKnown() && performance.now() < deadlineMs) await sleep(FIRST_LOOK_EVERY_MS);
      return Array.from(look(), ([about, trouble]) => `${about}: ${trouble}`);
    },
    stop,
  };
}

function pickWorkerOptions(options: GatewayOptions, port: number, clock: ClockAnchor): WorkerOptions {
  const { host, tls, transport, auth, stores, redis } = options;
  const { staleAfterMs, cacheEntries, cacheTtlMs, storeDeadlineMs, drainWithinMs, snapshots } = options;
  const { usersPerSecond } = options;
  return {
    ...{ clock, host, port, tls, transport, auth, stores, redis },
    ...{ staleAfterMs, cacheEntries, cacheTtlMs, storeDeadlineMs, drainWithinMs, snapshots, usersPerSecond },
  };
}
