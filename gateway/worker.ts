/**
 * One worker of the gateway: a process that answers requests. Its main process tells it what to serve and forwards the
 * stream of changes; when that is gone, the worker ends. (Why processes and not threads: docs/adr/0006.)
 */
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAuthenticator, toAuthOptions } from '../auth/authenticator.js';
import { createLogger, logCrashes } from '../config/logger.js';
import { ErrorLog } from '../errors/error-log.js';
import { QuanrenError } from '../errors/quanren-error.js';
import { tellError } from '../errors/tell-error.js';
import { ConcurrencyLimit } from '../stores/concurrency-limit.js';
import type { ImmediateMembershipSource } from '../stores/membership-store.js';
import { openStores, type Stores } from '../stores/open-stores.js';
import { CrowdSets } from './cache/crowd-sets.js';
import { Generations } from './cache/generations.js';
import { MembershipCache, youngMs } from './cache/membership-cache.js';
import { openRedisSharedCache, type RedisCache } from './cache/redis/redis-shared-cache.js';
import { createSnapshotFile } from './cache/snapshot.js';
import { SnapshotKeeper } from './cache/snapshot-keeper.js';
import { CrowdCatalog } from './match/crowd-catalog.js';
import { FastPath } from './match/fast-path.js';
import { MatchService } from './match/match-service.js';
import { RateLimit } from './match/rate-limit.js';
import { createRoutes } from './match/routes.js';
import { StreamClock } from './match/stream-clock.js';
import { LoopLag } from './metrics/loop-lag.js';
import { WorkerStats } from './metrics/worker-stats.js';
import { ImmediateReader } from './read/immediate-reader.js';
import { LoadShedder } from './read/load-shedder.js';
import { MembershipReader } from './read/membership-reader.js';
import { SharedLevel } from './read/shared-level.js';
import { steadyClock } from './steady-clock.js';
import { applyStep } from './stream/apply-step.js';
import type { StreamPositions } from './stream/stream-positions.js';
import {
  BEAT_EVERY_MS,
  type FromWorker,
  type StreamStep,
  type ToWorker,
  type WorkerOptions,
} from './supervision/protocol.js';
import { chooseTransport } from './transport/choose-transport.js';
import type { ListeningTransport } from './transport/transport.js';

/** The sets of crowds that the cached users are in, beside `cacheEntries`. */
const MAX_SET_BYTES = 64 * 1024 * 1024;
/** Nobody need be called so. */
const PROBE_UID = 'quanren';
const PROBE_REST_MS = 1_000;
/** After the listener is closed, requests that were already on their way still get their answer. */
const LINGER_MS = 100;

const log = createLogger('gateway-worker');
logCrashes(log);
const errors = new ErrorLog({ log, stopwatch: () => performance.now() });

function send(message: FromWorker): void {
  // The callback takes the error of a main process that has just gone; `disconnect` then ends this one.
  process.send?.(message, undefined, {}, () => {});
}

type StartMessage = Extract<ToWorker, { kind: 'start' }>;

class Worker {
  readonly #options: WorkerOptions;
  readonly #stats = new WorkerStats();
  readonly #generations = new Generations();
  readonly #catalog = new CrowdCatalog();
  readonly #sets = new CrowdSets();
  readonly #limit = new ConcurrencyLimit();
  readonly #clock: StreamClock;
  readonly #now: () => number;
  readonly #cache: MembershipCache;
  readonly #stores: Stores;
  readonly #redis: RedisCache | undefined;
  readonly #shared: SharedLevel | undefined;
  #reader: MembershipReader | undefined;
  #keeper: SnapshotKeeper | undefined;
  /** The messages of before that it began with, where it began with any user. */
  #held: StreamPositions | undefined;
  #hasAskedStore = false;
  #storeTrouble: string | undefined;
  #sharedCacheTrouble: string | undefined;
  readonly #loopLag = new LoopLag(60_000 / BEAT_EVERY_MS);
  #server: ListeningTransport | undefined;
  #isDraining = false;

  constructor({ options, place, mayRemember }: StartMessage) {
    this.#options = options;
    this.#clock = new StreamClock(options.staleAfterMs);
    this.#now = steadyClock(options.clock);
    this.#stores = openStores(options.stores, {
      onRetry: (cause, rows) => this.#stats.countRetries(cause, rows),
    });
    this.#redis = options.redis === undefined ? undefined : this.#openRedis(options.redis);
    this.#shared = this.#redis === undefined ? undefined : this.#createSharedLevel(this.#redis);
    this.#cache = new MembershipCache({
      entries: options.cacheEntries,
      maxSetBytes: MAX_SET_BYTES,
      ttlMs: options.cacheTtlMs,
      generations: this.#generations,
      sets: this.#sets,
      onAging: (hash, uid) => this.#reader?.refresh(hash, uid),
    });
    if (options.snapshots !== undefined) {
      this.#keeper = new SnapshotKeeper({
        storage: createSnapshotFile(path.join(options.snapshots.folder, `worker-${place}.snapshot`)),
        cache: this.#cache,
        generations: this.#generations,
        catalog: this.#catalog,
        clock: this.#clock,
        cacheTtlMs: options.cacheTtlMs,
        now: this.#now,
      });
      if (mayRemember) {
        const users = this.#keeper.load();
        log.info({ place, users }, 'The worker begins with what it knew');
        if (users > 0) this.#held = this.#clock.applied;
      }
      setInterval(() => void this.#saveSnapshot(), options.snapshots.everyMs);
    }
  }

  async start(): Promise<void> {
    const options = this.#options;
    const stats = this.#stats;
    const noteDefect = (error: unknown) => errors.note('A request', error);
    const shared = {
      cache: this.#cache,
      catalog: this.#catalog,
      clock: this.#clock,
      limit: this.#limit,
      shedder: new LoadShedder({
        stopwatch: () => performance.now(),
        atTurnEnd: setImmediate,
        onShed: () => stats.add('shed'),
      }),
      generations: this.#generations,
      stats,
      deadlineMs: options.storeDeadlineMs,
      now: this.#now,
      onDefect: noteDefect,
    };
    const counters = {
      onBatch: (size: number, tookMs: number) => {
        stats.observe('batchSize', size);
        stats.observe('readDuration', tookMs / 1_000);
      },
      onCoalesced: () => stats.add('coalesced'),
      onRefresh: () => stats.add('refreshes'),
      onFill: () => stats.add('fills'),
      onGenerationDrop: () => stats.add('drops'),
    };
    const { memberships, tags } = this.#stores;
    this.#reader = new MembershipReader({
      ...shared,
      source: memberships,
      shared: this.#shared,
      busyMs: () => performance.eventLoopUtilization().active,
      counters,
      atTurnEnd: setImmediate,
    });
    const immediateReader = offersImmediateReads(memberships)
      ? new ImmediateReader({
          ...shared,
          source: memberships,
          counters,
          stopwatch: () => performance.now(),
          diskWaits: () => process.resourceUsage().majorPageFault,
        })
      : undefined;
    const service = new MatchService({ ...shared, reader: this.#reader, tags });
    const { transport, warning } = chooseTransport(options.transport);
    this.#server = await transport.listen({
      host: options.host,
      port: options.port,
      tls: options.tls,
      ...createRoutes({
        service,
        fastPath: new FastPath({ ...shared, reader: immediateReader }),
        authenticator: createAuthenticator({
          ...toAuthOptions(options.auth),
          onTrouble: (error) => log.error({ err: error }, error.message),
        }),
        rateLimit: options.usersPerSecond === 0 ? undefined : new RateLimit(options.usersPerSecond),
        stats,
        onDefect: noteDefect,
        unreadyReason: () => this.#unreadyReason(),
        now: this.#now,
      }),
      onHandlerError: noteDefect,
    });
    setInterval(() => this.#beat(), BEAT_EVERY_MS);
    send({ kind: 'listening', transport: transport.name, warning, held: this.#held });
    void this.#reachStore();
  }

  apply(step: StreamStep): void {
    const [generations, catalog, clock] = [this.#generations, this.#catalog, this.#clock];
    applyStep(step, { generations, catalog, clock, shared: this.#shared }, this.#now());
  }

  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const deadlineMs = this.#now() + this.#options.drainWithinMs;
    this.#server?.drain();
    await sleep(LINGER_MS);
    while ((this.#server?.inFlight ?? 0) > 0 && this.#now() < deadlineMs) await sleep(10);
    await this.#saveSnapshot();
    process.exit(0);
  }

  /** Reads until it can: whether the store is there is known before somebody asks for a user. */
  async #reachStore(): Promise<void> {
    for (;;) {
      try {
        await this.#stores.memberships.get(PROBE_UID, { deadlineMs: this.#options.storeDeadlineMs });
        this.#storeTrouble = undefined;
      } catch (error) {
        this.#storeTrouble = tellError(error);
      }
      this.#hasAskedStore = true;
      this.#beat();
      if (this.#storeTrouble === undefined) return;
      await sleep(PROBE_REST_MS);
    }
  }

  async #saveSnapshot(): Promise<void> {
    try {
      await this.#keeper?.save();
    } catch (error) {
      errors.note('Saving what the worker knows', error);
    }
  }

  #openRedis({ location, timeoutMs }: NonNullable<WorkerOptions['redis']>): RedisCache {
    return openRedisSharedCache({
      location,
      ttlMs: youngMs(this.#options.cacheTtlMs),
      commandTimeoutMs: timeoutMs,
      onChange: (reason) => {
        this.#sharedCacheTrouble = reason;
      },
    });
  }

  #createSharedLevel(cache: RedisCache): SharedLevel {
    const stats = this.#stats;
    return new SharedLevel(cache, {
      onSharedRead: (asked, known, tookMs) => {
        stats.add('sharedReads', asked);
        stats.add('sharedHits', known);
        stats.observe('sharedReadDuration', tookMs / 1_000);
      },
    });
  }

  #unreadyReason(): string | undefined {
    if (this.#isDraining) return 'The gateway is stopping.';
    return this.#catalog.isLoaded ? undefined : 'The catalog of crowds is being loaded.';
  }

  #beat(): void {
    const stats = this.#stats;
    const { user, system } = process.cpuUsage();
    stats.set('cpu', (user + system) / 1_000_000);
    stats.set('inFlight', this.#server?.inFlight ?? 0);
    stats.set('limit', this.#limit.limit);
    stats.set('reading', this.#limit.inFlight);
    stats.set('entries', this.#cache.size);
    stats.set('setBytes', this.#sets.sizeBytes);
    stats.set('evictions', this.#cache.evictions);
    stats.set('sharedAway', Number(this.#redis?.isAway ?? false));
    stats.set('loopLag', this.#loopLag.read());
    const view = {
      storeServers: this.#stores.servers(),
      storeTrouble: this.#storeTrouble,
      sharedCacheTrouble: this.#sharedCacheTrouble,
    };
    send({ kind: 'beat', stats: stats.values, view: this.#hasAskedStore ? view : undefined });
  }
}

function offersImmediateReads(
  store: Stores['memberships'],
): store is Stores['memberships'] & ImmediateMembershipSource {
  return store.getNow !== undefined;
}

let worker: Worker | undefined;

async function start(message: StartMessage): Promise<void> {
  try {
    worker = new Worker(message);
    await worker.start();
    log.info({ place: message.place }, 'The worker serves');
  } catch (error) {
    // What is ours says what to do; of a defect the log tells where it arose.
    const message =
      error instanceof QuanrenError ? error.message : 'A worker could not start: its log says why.';
    log.error({ err: error }, 'The worker cannot start');
    process.send?.({ kind: 'failed', message } satisfies FromWorker, undefined, {}, () => process.exit(1));
  }
}

process.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'start':
      void start(message);
      break;
    case 'step':
      worker?.apply(message.step);
      break;
    case 'drain':
      void worker?.drain();
      break;
  }
});
process.on('disconnect', () => process.exit(0));
// The main process decides when to stop: a signal to the whole group must not end the workers before it.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
