/**
 * One schedule of the model: two or three gateways over a store, a shared cache and a bus, where everything that takes time
 * is a choice of the seed: when the store looks and when its answer comes, when a command reaches the cache, when a message
 * is delivered, when a worker takes a step, when a turn of the event loop ends; and what goes wrong in between.
 *
 * What must hold for every answer of every worker (design, section 6):
 *
 * 1. **No stale fill outlives an invalidation.** Once a worker was told of a change, none of its answers that are asked for from
 *    then on is older than that change, from whichever level it comes. So once every gateway has consumed a change, none gives
 *    the old answer.
 * 2. **Fresh is fresh.** An answer that is said to be fresh was true within the last `staleAfterMs`; one that is said to be
 *    stale was true at `asOf` or later. A change counts from when it was published.
 * 3. **It heals.** When the faults are over and everything is delivered, every worker gives the newest answer, fresh, and
 *    the shared cache is trusted again.
 */
import { TOPICS } from '../../events/topics.js';
import type { Snapshot } from '../../gateway/cache/snapshot.js';
import { Random } from '../differential/random.js';
import type { Mutation } from './mutations.js';
import { SimulatedBus } from './simulated-bus.js';
import { L2_TTL_MS, SimulatedGateway, SKEW_MS } from './simulated-gateway.js';
import { SimulatedConnection, SimulatedServer } from './simulated-redis.js';
import { SimulatedStore } from './simulated-store.js';
import { CROWDS, Truth, USERS } from './truth.js';

const STEPS = 70;
const REDIS_TIMEOUT_MS = 50;
const HEALING_ROUNDS = 400;
const PARTITIONS = TOPICS['membership-changes'].partitions;

/** What the schedules have reached. */
export interface Counts {
  answers: number;
  /** Of these, those said to be stale. */
  stale: number;
  /** Answers that could not be established. */
  errors: number;
  /** Users found in the shared cache. */
  known: number;
  fills: number;
  refusedFills: number;
  /** How often a gateway stopped believing the shared cache. */
  shut: number;
  /** Users that workers began with. */
  remembered: number;
  faults: number;
}

export const noCounts = (): Counts => ({
  ...{ answers: 0, stale: 0, errors: 0, known: 0, fills: 0 },
  ...{ refusedFills: 0, shut: 0, remembered: 0, faults: 0 },
});

const FAULTS = [
  'restart the cache',
  'fail over',
  'lose the cache',
  'cut a connection',
  'set the clock back',
  'restart a gateway',
  'restart a worker',
  'fail a read',
  'repeat messages',
  'pass time',
] as const;
type Fault = (typeof FAULTS)[number];

/** What is under way, and can take its next step. */
interface Choice {
  proceed(random: Random): void;
}

/** All microtasks run; schedules that wait at the same time share the turn. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

export class World {
  readonly #random: Random;
  readonly #seed: number;
  readonly #mutation: Mutation;
  readonly #counts: Counts;
  readonly #bus = new SimulatedBus(() => this.#timeMs);
  readonly #truth = new Truth();
  readonly #store = new SimulatedStore(
    (uid) => this.#truth.crowdsOf(USERS.indexOf(uid)),
    () => this.#timeMs,
  );
  readonly #gateways: SimulatedGateway[] = [];
  /** Of all processes, those that are gone too: what they sent may still arrive. */
  readonly #connections: SimulatedConnection[] = [];
  readonly #turns: (() => void)[] = [];
  readonly #publications: (() => void)[] = [];
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #faults: readonly Fault[];
  #timeMs = 1_000_000;
  #servers = 0;
  #tokens = 0;
  #server: SimulatedServer;
  #dump: SimulatedServer['entries'] = new Map();
  #wrong: string | undefined;
  /** A gateway that starts is given the time to. */
  #isRestarted = false;

  constructor(seed: number, mutation: Mutation, counts: Counts) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#mutation = mutation;
    this.#counts = counts;
    // Each schedule has some of the faults: all at once hide each other.
    this.#faults = FAULTS.filter(() => this.#random.chance(0.4));
    this.#server = this.#makeServer();
  }

  /** Returns what went wrong; undefined for nothing. */
  async run(): Promise<string | undefined> {
    for (let crowd = 0; crowd < CROWDS; crowd++) {
      const crowdCode = `c${crowd}`;
      const rule = { crowdCode, status: 'active', ruleVersion: 1, rule: '{}' };
      this.#bus.append('crowd-rules', crowdCode, rule, []);
    }
    const gateways = this.#random.chance(0.2) ? 3 : 2;
    for (let i = 0; i < gateways; i++) this.#gateways.push(this.#makeGateway(i));
    // Most schedules begin when all is well.
    if (this.#random.chance(0.8)) {
      this.#beat();
      await this.#calm(40);
    }
    for (let step = 0; step < STEPS && this.#wrong === undefined; step++) {
      this.#act();
      await settle();
      if (this.#isRestarted) {
        await this.#calm(40);
        this.#beat();
        await this.#calm(40);
      }
      this.#isRestarted = false;
      // Some requests find everyone else standing still: the caches are filled.
      if (this.#random.chance(0.1)) await this.#finishReads();
    }
    if (this.#wrong === undefined && this.#random.chance(0.05)) await this.#heal();
    for (const gateway of this.#gateways) gateway.end();
    return this.#wrong;
  }

  #fail(what: string): void {
    this.#wrong ??= `seed ${this.#seed}: ${what}`;
  }

  #act(): void {
    const random = this.#random;
    const dice = random.int(100);
    if (random.chance(0.3)) this.#timeMs += 1;
    if (dice < 14) this.#ask();
    else if (dice < 19) this.#change();
    else if (dice < 21) this.#beat();
    else if (dice < 25) this.#timeMs += random.int(random.chance(0.2) ? 400 : 20);
    else if (dice < 27) void random.pick(this.#gateways).gate.check();
    else if (dice < 30) random.pick(random.pick(this.#gateways).workers).save();
    else if (dice < 34 && this.#faults.length > 0) this.#breakSomething(random.pick(this.#faults));
    else this.#proceed();
    this.#expire();
  }

  /** One thing that is under way goes on. */
  #proceed(): void {
    const random = this.#random;
    const choices: Choice[] = [];
    for (const connection of this.#connections) {
      if (connection.isBusy) choices.push(connection);
      if (connection.server !== this.#server && this.#server.isUp && random.chance(0.3))
        choices.push({ proceed: () => connection.reconnect(this.#server) });
    }
    for (const { gate, subscriptions, workers } of this.#gateways) {
      if (gate.state === 'shut') choices.push({ proceed: () => void gate.check() });
      for (const subscription of subscriptions) if (subscription.hasMore) choices.push(subscription);
      for (const worker of workers) if (worker.queue.length > 0) choices.push(worker);
    }
    for (const read of this.#store.reads) choices.push(read);
    for (const list of [this.#turns, this.#publications]) {
      if (list.length > 0) choices.push({ proceed: () => list.splice(random.int(list.length), 1)[0]?.() });
    }
    if (choices.length > 0) random.pick(choices).proceed(random);
  }

  #ask(): void {
    const random = this.#random;
    const worker = random.pick(random.pick(this.#gateways).workers);
    const user = this.#pickUser();
    const told = worker.versions[user] as number;
    worker.ask(USERS[user] as string, (body) => this.#judge(user, told, body));
  }

  /** Mostly the first: what meets at one user is what this is about. */
  #pickUser(): number {
    return this.#random.chance(0.8) ? 0 : 1;
  }

  /** `told`: the newest version that the worker had been told of when it was asked. */
  #judge(user: number, told: number, body: string | undefined): void {
    const verdict = this.#truth.judge(user, told, body, this.#timeMs);
    if (verdict === 'error') this.#counts.errors += 1;
    else this.#counts.answers += 1;
    if (verdict === 'stale') this.#counts.stale += 1;
    if (typeof verdict === 'object') this.#fail(verdict.wrong);
  }

  /** In the store, and later on the bus: one user by a message of his own, or everyone by a refreshed crowd. */
  #change(): void {
    const random = this.#random;
    const isRefresh = random.chance(0.15);
    const users = isRefresh ? USERS.map((_, user) => user) : [this.#pickUser()];
    const told = this.#truth.change(users);
    const publish = () => {
      this.#truth.publish(told, this.#timeMs);
      const message = { crowdCode: 'c0', changeTimeMs: this.#timeMs };
      if (isRefresh)
        this.#bus.append('membership-changes', 'c0', { type: 'crowd-refreshed', ...message }, told);
      else {
        const uid = USERS[users[0] as number] as string;
        const value = { type: 'membership-changed', uid, kind: 'enter', ...message };
        this.#bus.append('membership-changes', uid, value, told);
      }
    };
    if (random.chance(0.5)) publish();
    else this.#publications.push(publish);
  }

  #beat(): void {
    const value = { type: 'heartbeat', sentAtMs: this.#timeMs };
    this.#publications.push(() => {
      for (let partition = 0; partition < PARTITIONS; partition++)
        this.#bus.append('membership-changes', 'heartbeat', value, [], partition);
    });
  }

  #breakSomething(fault: Fault): void {
    const random = this.#random;
    this.#counts.faults += 1;
    switch (fault) {
      case 'restart the cache':
      case 'fail over': {
        if (random.chance(0.5)) {
          // A dump, or a replica, that is so old when it is needed.
          this.#dump = new Map(this.#server.entries);
          return;
        }
        // Of a fail-over the old server may not know, and who is connected to it neither.
        this.#server.isUp = fault === 'fail over' && random.chance(0.7);
        this.#server = this.#makeServer(random.chance(0.2) ? new Map() : this.#dump);
        return;
      }
      case 'lose the cache':
        this.#server.entries.clear();
        return;
      case 'cut a connection':
        random.pick(this.#connections).breakOff(random.chance(0.5));
        return;
      case 'set the clock back':
        this.#server.offsetMs = -random.int(SKEW_MS / 2);
        return;
      case 'restart a gateway': {
        const places = random.chance(0.5) ? [random.int(this.#gateways.length)] : [...this.#gateways.keys()];
        for (const place of places) {
          this.#gateways[place]?.end();
          this.#gateways[place] = this.#makeGateway(place);
        }
        // Else there is hardly one that gets as far as to answer.
        if (random.chance(0.7)) this.#isRestarted = true;
        return;
      }
      case 'restart a worker':
        random.pick(this.#gateways).replaceWorker(random.int(2)).end();
        return;
      case 'fail a read': {
        const reads = [...this.#store.reads];
        if (reads.length > 0) random.pick(reads).fail();
        return;
      }
      case 'repeat messages':
        for (const subscription of random.pick(this.#gateways).subscriptions) subscription.rewind(random);
        return;
      case 'pass time':
        this.#timeMs += random.int(L2_TTL_MS);
    }
  }

  async #finishReads(): Promise<void> {
    this.#ask();
    for (let i = 0; i < 6; i++) {
      for (const run of this.#turns.splice(0)) run();
      for (const read of this.#store.reads) read.proceed();
      for (const { workers } of this.#gateways) for (const { connection } of workers) connection.proceed();
      await settle();
    }
  }

  #expire(): void {
    for (const connection of this.#connections) connection.expire(this.#timeMs);
    for (const read of this.#store.reads) if (read.deadlineMs <= this.#timeMs) read.fail();
  }

  /** Everything that is under way comes to its end, with no new fault; at most so many rounds. */
  async #calm(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      for (const connection of this.#connections) {
        if (connection.server !== this.#server) connection.reconnect(this.#server);
        while (connection.isBusy) connection.proceed();
      }
      for (const run of [...this.#turns.splice(0), ...this.#publications.splice(0)]) run();
      for (const read of this.#store.reads) read.proceed();
      for (const { subscriptions, workers } of this.#gateways) {
        for (const subscription of subscriptions)
          if (subscription.hasMore) subscription.proceed(this.#random, true);
        for (const worker of workers) while (worker.queue.length > 0) worker.proceed();
      }
      await settle();
      if (!this.#isBusy()) return;
    }
  }

  #isBusy(): boolean {
    return (
      this.#turns.length + this.#publications.length + this.#store.reads.size > 0 ||
      this.#connections.some(({ isBusy }) => isBusy) ||
      this.#gateways.some(
        ({ subscriptions, workers }) =>
          subscriptions.length < 2 ||
          subscriptions.some(({ hasMore }) => hasMore) ||
          workers.some(({ queue }) => queue.length > 0),
      )
    );
  }

  async #heal(): Promise<void> {
    this.#server.offsetMs = 0;
    await this.#calm(HEALING_ROUNDS);
    this.#timeMs += 2 * SKEW_MS;
    this.#beat();
    await this.#calm(HEALING_ROUNDS);
    for (const { gate } of this.#gateways) void gate.check();
    await this.#calm(HEALING_ROUNDS);
    for (const { gate } of this.#gateways) void gate.check();
    await this.#calm(HEALING_ROUNDS);
    let answered = 0;
    const workers = this.#gateways.flatMap((gateway) => gateway.workers);
    for (const worker of workers) {
      USERS.forEach((uid, user) => {
        worker.ask(uid, (body) => {
          answered += 1;
          this.#judge(user, this.#truth.newest(user), body);
          if (body?.includes('"fresh"') !== true) this.#fail(`${uid} is answered with ${body} in the end`);
        });
      });
    }
    await this.#calm(HEALING_ROUNDS);
    if (answered < workers.length * USERS.length) this.#fail('there are answers that never came');
    for (const { gate } of this.#gateways)
      if (gate.state !== 'open') this.#fail(`the shared cache is ${gate.state} in the end`);
  }

  #makeServer(entries?: SimulatedServer['entries']): SimulatedServer {
    this.#servers += 1;
    const bugs = this.#mutation;
    const options = { now: () => this.#timeMs, bugs };
    const offsetMs = this.#random.chance(0.5) ? 0 : this.#random.between(-SKEW_MS / 2, SKEW_MS / 2);
    return new SimulatedServer(`server ${this.#servers}`, options, entries, offsetMs);
  }

  #connect(): SimulatedConnection {
    const connection = new SimulatedConnection(this.#server, {
      newToken: () => {
        this.#tokens += 1;
        return `token ${this.#tokens}`;
      },
      now: () => this.#timeMs,
      ttlMs: L2_TTL_MS,
      timeoutMs: REDIS_TIMEOUT_MS,
      bugs: this.#mutation,
      onFill: (wasKept) => {
        this.#counts[wasKept ? 'fills' : 'refusedFills'] += 1;
      },
    });
    this.#connections.push(connection);
    return connection;
  }

  #makeGateway(name: number): SimulatedGateway {
    const around = {
      mutation: this.#mutation,
      now: () => this.#timeMs,
      random: () => this.#random.next() / 2 ** 32,
      source: this.#store,
      connect: () => this.#connect(),
      later: (run: () => void) => this.#turns.push(run),
      onKnown: (count: number) => {
        this.#counts.known += count;
      },
      onShut: () => {
        this.#counts.shut += 1;
      },
      onRemembered: (users: number) => {
        this.#counts.remembered += users;
      },
      storage: (place: number) => ({
        read: () => this.#snapshots.get(`${name}.${place}`),
        write: async (snapshot: Snapshot) => {
          this.#snapshots.set(`${name}.${place}`, snapshot);
        },
      }),
    };
    return new SimulatedGateway(around, this.#bus, USERS.length);
  }
}
