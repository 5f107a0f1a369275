/**
 * The gateway with all its back ends as real processes, a writer that changes memberships as every writer does, and the
 * judge. Between them lies a network that can be made bad: HBase and Kafka name themselves to their clients 127.0.0.2,
 * where proxies listen on the ports that the servers have on 127.0.0.1.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findFreePort } from '../../cli/ports.js';
import type { EventBus } from '../../events/event-bus.js';
import { startHeartbeat } from '../../events/heartbeat.js';
import { openEventBus } from '../../events/open-event-bus.js';
import { openStores, type Stores } from '../../stores/open-stores.js';
import { Random } from '../differential/random.js';
import { GatewayProcess } from '../integration/gateway/gateway-process.js';
import { startTestEngine, type TestEngine } from '../support/engines.js';
import { FaultProxy, type Weather } from './fault-proxy.js';
import { Load } from './load.js';
import { Truth } from './truth.js';

const CROWD = 'online_now';
const PROXY_HOST = '127.0.0.2';
const REGION_SERVERS = ['regionserver-1', 'regionserver-2'];
const STALE_AFTER_MS = 5_000;
const STEADY_USERS = 500;
const CHANGING_USERS = 100;
const WRITE_EVERY_MS = 25;
const HEARTBEAT_EVERY_MS = 500;
const PUBLISH_AGAIN_MS = 200;
const CLOCK_STEP = 'clock-step';
const SERVES_WITHIN_MS = 120_000;

export interface RigOptions {
  readonly gateways: number;
  /** Requests a second, of all gateways together. */
  readonly perSecond: number;
  readonly seed: number;
}

export const ENGINES = ['hbase', 'kafka', 'redis'] as const;
export type EngineName = (typeof ENGINES)[number];

export function childrenOf(pid: number): number[] {
  const pids = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' });
  return pids.trim().split(/\s+/).map(Number);
}

/** A gateway that can be killed and started again where it was. */
interface Place {
  readonly environment: Record<string, string>;
  gateway: GatewayProcess;
}

export class Rig {
  readonly engines: Readonly<Record<EngineName, TestEngine>>;
  readonly load: Load;
  readonly #folder: string;
  readonly #proxies: Readonly<Record<EngineName, readonly FaultProxy[]>>;
  readonly #stores: Stores;
  readonly #bus: EventBus;
  readonly #truth = new Truth(STALE_AFTER_MS);
  readonly #random: Random;
  readonly #steadyUids = Array.from({ length: STEADY_USERS }, (_, i) => `steady-${i}`);
  readonly #changingUids = Array.from({ length: CHANGING_USERS }, (_, i) => `changing-${i}`);
  /** What was last written, and its change time: strictly increasing, since leaving wins a tie. */
  readonly #written = new Map<string, { readonly isMember: boolean; readonly changeTimeMs: number }>();
  readonly #places: readonly Place[];
  readonly #stopBeats: () => Promise<void>;
  /** Changes that the store may have and the bus does not: no heartbeat may overtake them. */
  #unpublished = 0;
  #isOver = false;
  #writing: Promise<unknown> = Promise.resolve();

  static async start(options: RigOptions): Promise<Rig> {
    const ports: Record<string, number> = {};
    for (const name of [...REGION_SERVERS, 'kafka', 'redis']) ports[name] = await findFreePort();
    const proxyOf = (name: string) => FaultProxy.start(PROXY_HOST, ports[name] ?? 0);
    const proxies = {
      hbase: await Promise.all(REGION_SERVERS.map(proxyOf)),
      kafka: [await proxyOf('kafka')],
      redis: [await proxyOf('redis')],
    };
    const pick = (names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, ports[name] ?? 0]));
    const [hbase, kafka, redis] = await Promise.all([
      startTestEngine('hbase', {
        regionServers: REGION_SERVERS.length,
        ports: pick(REGION_SERVERS),
        settings: { 'hbase.unsafe.regionserver.hostname': PROXY_HOST },
      }),
      startTestEngine('kafka', {
        ports: pick(['kafka']),
        settings: { 'advertised.listeners': `PLAINTEXT://${PROXY_HOST}:${ports.kafka}` },
      }),
      startTestEngine('redis', { ports: pick(['redis']) }),
    ]);
    const folder = mkdtempSync(path.join(tmpdir(), 'quanren-faults-'));
    const nodes = REGION_SERVERS.map((name) => ({ host: PROXY_HOST, port: ports[name] ?? 0 }));
    const stores = openStores({ kind: 'hbase', nodes, user: 'quanren', tls: undefined });
    await stores.prepare();
    const broker = `${PROXY_HOST}:${ports.kafka}`;
    const bus = await openEventBus({
      kafka: { brokers: [broker], tls: null, sasl: null, prefix: '' },
      folder: '',
    });
    const value = {
      crowdCode: CROWD,
      status: 'active',
      ruleVersion: 1,
      rule: '{"tag_code":"age","op":">","value":1}',
    };
    await bus.publish('crowd-rules', [{ key: CROWD, value }]);
    const places: Place[] = [];
    for (let i = 0; i < options.gateways; i += 1) {
      const environment = {
        QUANREN_GATEWAY_PORT: String(await findFreePort()),
        NODE_OPTIONS: `--import=${path.join(import.meta.dirname, 'step-clock.js')}`,
        CLOCK_STEP_FILE: path.join(folder, CLOCK_STEP),
        QUANREN_GATEWAY_STALE_AFTER_MS: String(STALE_AFTER_MS),
        QUANREN_HBASE_NODES: nodes.map(({ host, port }) => `${host}:${port}`).join(),
        QUANREN_KAFKA_BROKERS: broker,
        QUANREN_REDIS_URL: `redis://${PROXY_HOST}:${ports.redis}`,
      };
      places.push({ environment, gateway: await GatewayProcess.start({ folder }, environment) });
    }
    const rig = new Rig(options, { hbase, kafka, redis }, proxies, stores, bus, folder, places);
    await rig.#begin();
    return rig;
  }

  private constructor(
    options: RigOptions,
    engines: Record<EngineName, TestEngine>,
    proxies: Record<EngineName, readonly FaultProxy[]>,
    stores: Stores,
    bus: EventBus,
    folder: string,
    places: readonly Place[],
  ) {
    this.engines = engines;
    this.#proxies = proxies;
    this.#stores = stores;
    this.#bus = bus;
    this.#folder = folder;
    this.#places = places;
    this.#random = new Random(options.seed);
    this.#stopBeats = startHeartbeat(bus, {
      everyMs: HEARTBEAT_EVERY_MS,
      mayBeat: () => this.#unpublished === 0,
      onError: () => undefined,
    });
    this.load = new Load({
      ports: places.map(({ environment }) => Number(environment.QUANREN_GATEWAY_PORT)),
      perSecond: options.perSecond,
      crowdCode: CROWD,
      steadyUids: this.#steadyUids,
      changingUids: this.#changingUids,
      random: new Random(options.seed + 1),
      truth: this.#truth,
    });
  }

  /** Every user is a member, and asked for by every gateway, before anything goes wrong. */
  async #begin(): Promise<void> {
    for (const { gateway } of this.#places) await gateway.ready();
    await Promise.all([...this.#steadyUids, ...this.#changingUids].map((uid) => this.#write(uid)));
    this.load.start();
    this.#writing = this.#writeOn();
    await sleep(5_000);
  }

  get gateways(): readonly GatewayProcess[] {
    return this.#places.map(({ gateway }) => gateway);
  }

  turn(engine: EngineName, weather: Weather): void {
    for (const proxy of this.#proxies[engine]) proxy.turn(weather);
  }

  /** Sets the clocks of all gateways so many milliseconds beside the machine's. */
  async setClocks(stepMs: number): Promise<void> {
    await writeFile(path.join(this.#folder, CLOCK_STEP), String(stepMs));
    for (const { child } of this.gateways) {
      for (const pid of [child.pid ?? 0, ...childrenOf(child.pid ?? 0)]) process.kill(pid, 'SIGUSR2');
    }
  }

  /** Resolves when HBase serves every region again: servers answer before their regions are open. */
  async storeServes(): Promise<void> {
    const deadlineMs = Date.now() + SERVES_WITHIN_MS;
    for (;;) {
      try {
        await this.#stores.memberships.getMany(this.#steadyUids, { deadlineMs: 1_000 });
        return;
      } catch (error) {
        if (Date.now() > deadlineMs) throw error;
        await sleep(100);
      }
    }
  }

  async flushRedis(): Promise<void> {
    const [, port = ''] = (this.engines.redis.engine.addresses.redis ?? '').split(':');
    const redis = new Redis(Number(port), '127.0.0.1');
    await redis.flushall();
    redis.disconnect();
  }

  /** The first gateway, kill -9; the promise is that of its coming back. */
  async restartGateway(): Promise<void> {
    const [place] = this.#places;
    if (place === undefined) return;
    const gone = new Promise((resolve) => place.gateway.child.once('exit', resolve));
    place.gateway.child.kill('SIGKILL');
    await gone;
    place.gateway = await GatewayProcess.start({ folder: this.#folder }, place.environment);
  }

  async #writeOn(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    while (!this.#isOver) {
      const uid = this.#random.pick(this.#changingUids);
      const write = this.#write(uid);
      underWay.add(write);
      void write.finally(() => underWay.delete(write));
      await sleep(WRITE_EVERY_MS);
      // One that waits for a store or bus that is away holds up the rest, as it would in a job.
      while (underWay.size > 64 && !this.#isOver) await sleep(WRITE_EVERY_MS);
    }
    await Promise.all(underWay);
  }

  /** The other membership; published until the bus has it, also where the store may or may not have taken it. */
  async #write(uid: string): Promise<void> {
    const nowMs = Date.now();
    const last = this.#written.get(uid);
    const isMember = last?.isMember !== true;
    const changeTimeMs = Math.max(nowMs, (last?.changeTimeMs ?? 0) + 1);
    this.#written.set(uid, { isMember, changeTimeMs });
    const change = { uid, crowdCode: CROWD, kind: isMember ? 'enter' : 'leave', changeTimeMs } as const;
    const acknowledge = this.#truth.write(uid, isMember, nowMs);
    this.#unpublished += 1;
    try {
      await this.#stores.memberships.apply([change], nowMs);
      acknowledge(Date.now());
    } catch {
      // It may have been done.
    }
    while (!this.#isOver) {
      try {
        await this.#bus.publish('membership-changes', [
          { key: uid, value: { type: 'membership-changed', ...change } },
        ]);
        break;
      } catch {
        await sleep(PUBLISH_AGAIN_MS);
      }
    }
    this.#unpublished -= 1;
  }

  async stop(): Promise<void> {
    await this.load.stop();
    this.#isOver = true;
    await this.#writing;
    await this.#stopBeats();
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await this.#stores.close();
    await this.#bus.close();
    await Promise.all(Object.values(this.engines).map((engine) => engine.remove()));
    await Promise.all(
      Object.values(this.#proxies)
        .flat()
        .map((proxy) => proxy.stop()),
    );
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
