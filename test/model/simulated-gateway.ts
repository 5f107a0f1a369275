/** A gateway of the model: the real follower, gate, readers and caches, in one main and its workers, joined by queues. */
import assert from 'node:assert/strict';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { EventBus } from '../../events/event-bus.js';
import { CrowdSets } from '../../gateway/cache/crowd-sets.js';
import { Generations } from '../../gateway/cache/generations.js';
import { MembershipCache } from '../../gateway/cache/membership-cache.js';
import type { SharedCache, Trust } from '../../gateway/cache/shared-cache.js';
import type { SnapshotStorage } from '../../gateway/cache/snapshot.js';
import { SnapshotKeeper } from '../../gateway/cache/snapshot-keeper.js';
import { CrowdCatalog } from '../../gateway/match/crowd-catalog.js';
import { MatchService } from '../../gateway/match/match-service.js';
import type { Responder } from '../../gateway/match/responder.js';
import { StreamClock } from '../../gateway/match/stream-clock.js';
import { WorkerStats } from '../../gateway/metrics/worker-stats.js';
import { MembershipReader, type MembershipSource } from '../../gateway/read/membership-reader.js';
import { SharedLevel } from '../../gateway/read/shared-level.js';
import { applyStep } from '../../gateway/stream/apply-step.js';
import { SharedCacheGate } from '../../gateway/stream/shared-cache-gate.js';
import { StreamFollower } from '../../gateway/stream/stream-follower.js';
import { heldByAll, type StreamPositions } from '../../gateway/stream/stream-positions.js';
import type { StreamStep } from '../../gateway/supervision/protocol.js';
import { ConcurrencyLimit } from '../../stores/concurrency-limit.js';
import { KeepingCache, type Mutation } from './mutations.js';
import type { SimulatedBus, SimulatedSubscription } from './simulated-bus.js';
import type { SimulatedConnection } from './simulated-redis.js';

export const STALE_AFTER_MS = 1_000;
export const L1_TTL_MS = 3_000;
export const L2_TTL_MS = 2_000;
/** The server's clock is at most half of it away from the world's. */
export const SKEW_MS = 600;
export const STORE_DEADLINE_MS = 300;
export const WORKERS = 2;

/** What a gateway has around it. */
export interface Surroundings {
  readonly mutation: Mutation;
  readonly now: () => number;
  readonly random: () => number;
  readonly source: MembershipSource;
  readonly connect: () => SimulatedConnection;
  /** Runs a function at a time that the schedule picks. */
  readonly later: (run: () => void) => void;
  readonly onKnown: (count: number) => void;
  readonly onShut: () => void;
  readonly onRemembered: (users: number) => void;
  /** Where the worker in that place keeps what it knows. */
  readonly storage: (place: number) => SnapshotStorage;
}

interface Told {
  readonly step: StreamStep;
  /** By user, the newest version that this step, or one before it, tells of. */
  readonly versions: readonly number[];
}

/** Tables of generations are big, and only their movements matter: schedules share them. */
const spareGenerations: Generations[] = [];
/** Nobody looks at the numbers. */
const stats = new WorkerStats();

export class SimulatedWorker {
  readonly connection: SimulatedConnection;
  readonly queue: Told[] = [];
  /** By user, the newest version that it was told of. */
  versions: readonly number[];
  readonly #generations = spareGenerations.pop() ?? new Generations();
  readonly #catalog = new CrowdCatalog();
  readonly #clock = new StreamClock(STALE_AFTER_MS);
  readonly #shared: SharedLevel;
  readonly #service: MatchService;
  readonly #keeper: SnapshotKeeper;
  readonly #now: () => number;
  /** The messages of before that it began with, where it began with any user. */
  readonly held: StreamPositions | undefined;

  constructor(around: Surroundings, users: number, place: number, mayRemember: boolean) {
    const { mutation, now, source, later } = around;
    this.#now = now;
    this.versions = new Array<number>(users).fill(0);
    this.connection = around.connect();
    this.#shared = new SharedLevel(this.connection, {
      onSharedRead: (_asked, known) => around.onKnown(known),
    });
    const generations = this.#generations;
    const Cache = mutation.fillsL1Always === true ? KeepingCache : MembershipCache;
    const cache = new Cache({
      entries: 15,
      maxSetBytes: 100_000,
      ttlMs: L1_TTL_MS,
      generations,
      sets: new CrowdSets(),
      random: around.random,
      onAging: (hash, uid) => reader.refresh(hash, uid),
    });
    const shared = {
      onDefect: assert.ifError,
      cache,
      catalog: this.#catalog,
      clock: this.#clock,
      limit: new ConcurrencyLimit(),
      shedder: { admits: () => true },
      stats,
      deadlineMs: STORE_DEADLINE_MS,
      now,
    };
    const reader = new MembershipReader({
      ...shared,
      generations:
        mutation.fillsL1Always === true ? ({ of: () => 0 } as unknown as Generations) : generations,
      source,
      shared: this.#shared,
      atTurnEnd: later,
      busyMs: () => 0,
      counters: {
        onBatch: () => {},
        onCoalesced: () => {},
        onRefresh: () => {},
        onFill: () => {},
        onGenerationDrop: () => {},
      },
    });
    const tags = { get: () => Promise.reject(new QuanrenError('unavailable', 'nobody asks for tags')) };
    this.#service = new MatchService({ ...shared, reader, tags });
    const storage = around.storage(place);
    this.#keeper = new SnapshotKeeper({ ...shared, generations, storage, cacheTtlMs: L1_TTL_MS });
    const remembered = mayRemember ? this.#keeper.load() : 0;
    around.onRemembered(remembered);
    if (remembered > 0) this.held = this.#clock.applied;
  }

  /** Takes the next step that main has told. */
  proceed(): void {
    const told = this.queue.shift();
    if (told === undefined) return;
    const [generations, catalog, clock, shared] = [
      this.#generations,
      this.#catalog,
      this.#clock,
      this.#shared,
    ];
    applyStep(told.step, { generations, catalog, clock, shared }, this.#now());
    this.versions = told.versions;
  }

  /** Calls `done` with the body of the reply; undefined for an error. */
  ask(uid: string, done: (body: string | undefined) => void): void {
    const responder: Pick<Responder, 'ok' | 'fail' | 'defer'> = {
      defer: () => {},
      ok: (body) => done(String(body)),
      fail: () => done(undefined),
    };
    this.#service.match(`uid=${uid}`, responder as Responder);
  }

  save(): void {
    void this.#keeper.save();
  }

  /** It dies: nobody asks it any more, but what it sent may still arrive. */
  end(): void {
    this.connection.breakOff(false);
    spareGenerations.push(this.#generations);
  }
}

export class SimulatedGateway {
  readonly connection: SimulatedConnection;
  readonly workers: SimulatedWorker[];
  readonly gate: SharedCacheGate;
  readonly subscriptions: SimulatedSubscription[] = [];
  readonly #around: Surroundings;
  readonly #users: number;
  readonly #follower: StreamFollower;
  /** By user, the newest version that the workers were told of, that is in hand, and that is to be caught up with. */
  #told: readonly number[];
  #inHand: readonly number[];
  #caughtUp: readonly number[];
  /** Of the mutation that tells it too late. */
  #lateTrust: StreamStep | undefined;

  constructor(around: Surroundings, bus: SimulatedBus, users: number) {
    const { mutation, now } = around;
    this.#around = around;
    this.#users = users;
    const nothing = new Array<number>(users).fill(0);
    [this.#told, this.#inHand, this.#caughtUp] = [nothing, nothing, nothing];
    this.connection = around.connect();
    let lookedMs = 0;
    const cache: SharedCache = {
      ...asPlain(mutation.mainCache?.(this.connection) ?? this.connection),
      look: async () => {
        const look = await this.connection.look();
        lookedMs = look?.timeMs ?? lookedMs;
        return look;
      },
    };
    this.gate = new SharedCacheGate({
      cache,
      skewMs: SKEW_MS,
      now,
      stopwatch: now,
      onShut: around.onShut,
      onTrust: (told) => {
        const isByClock = mutation.believesClock === true && told !== null && told.sinceMs > 0;
        const trust = isByClock ? { ...told, sinceMs: lookedMs } : told;
        this.#tellTrust(mutation.trust === undefined ? trust : mutation.trust(trust));
      },
    });
    this.#follower = new StreamFollower({
      bus: bus.connect({
        onSubscription: (subscription) => this.subscriptions.push(subscription),
        onBatch: (versions) => {
          this.#inHand = versions.reduce(newest, nothing);
        },
        onCaughtUp: () => {
          this.#caughtUp = bus.newestVersions(users);
        },
      }) as EventBus,
      gate: (mutation.gate?.(this.gate) ?? this.gate) as SharedCacheGate,
      replayMs: mutation.replaysNothing === true ? 0 : L2_TTL_MS + 2 * SKEW_MS,
      now,
      onStep: (step) => this.#tellStep(step),
      onError: (error) => {
        throw error;
      },
    });
    this.workers = Array.from(
      { length: WORKERS },
      (_, place) => new SimulatedWorker(around, users, place, true),
    );
    const held = heldByAll(this.workers.flatMap(({ held }) => (held === undefined ? [] : [held])));
    const { holdsMore = 0 } = mutation;
    // Ends with the gateway, in the middle of a schedule.
    this.#follower
      .start(
        held.map((each) => ({
          ...each,
          offset: each.offset + holdsMore,
          timestampMs: each.timestampMs + holdsMore * 1_000,
        })),
      )
      .catch(() => {});
  }

  /** Puts a new worker in the place of one that died; returns that. */
  replaceWorker(place: number): SimulatedWorker {
    const dead = this.workers[place] as SimulatedWorker;
    const mayRemember = !this.#follower.hasTold || this.#around.mutation.alwaysRemembers === true;
    const worker = new SimulatedWorker(this.#around, this.#users, place, mayRemember);
    worker.queue.push({ step: this.#snapshot(), versions: this.#told });
    this.workers[place] = worker;
    return dead;
  }

  /** As `end` of a worker, for all of it. */
  end(): void {
    this.connection.breakOff(false);
    for (const worker of this.workers) worker.end();
    void this.#follower.close();
  }

  #snapshot(): StreamStep {
    const step = this.#follower.snapshot();
    const { mutation } = this.#around;
    if (mutation.trust === undefined || step.trust === undefined) return step;
    return { ...step, trust: mutation.trust(step.trust) };
  }

  #tellTrust(trust: Trust | null): void {
    if (this.#around.mutation.tellsTrustLate === true && trust === null) this.#lateTrust = { trust };
    else this.#send({ trust });
  }

  #tellStep(step: StreamStep): void {
    if (step.slots !== undefined) this.#told = newest(this.#told, this.#inHand);
    if (step.catalog !== undefined) this.#told = newest(this.#told, this.#caughtUp);
    this.#send(step);
    if (this.#lateTrust === undefined) return;
    this.#send(this.#lateTrust);
    this.#lateTrust = undefined;
  }

  #send(step: StreamStep): void {
    for (const worker of this.workers) worker.queue.push({ step, versions: this.#told });
  }
}

function newest(first: readonly number[], second: readonly number[]): readonly number[] {
  return first.map((version, user) => Math.max(version, second[user] ?? 0));
}

function asPlain(cache: SharedCache): SharedCache {
  return {
    read: (uids, trust) => cache.read(uids, trust),
    fill: (fills, trust) => cache.fill(fills, trust),
    invalidate: (uids, trust) => cache.invalidate(uids, trust),
    look: () => cache.look(),
    close: () => cache.close(),
  };
}
