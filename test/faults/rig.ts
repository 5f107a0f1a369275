/**
 * The gateway with all its back ends as real processes, a writer that changes memberships as every writer does, a control
 * plane that changes rules as the platform does, and the judge. Between them lies a network that can be made bad: HBase
 * and Kafka name themselves to their clients 127.0.0.2, where proxies listen on the ports that the servers have on
 * 127.0.0.1.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { findFreePort } from '../../cli/ports.js';
import { type Address, formatAddress } from '../../config/addresses.js';
import { reasonOf } from '../../errors/reason-of.js';
import type { EventBus } from '../../events/event-bus.js';
import { openEventBus } from '../../events/open-event-bus.js';
import { openStores, type Stores } from '../../stores/open-stores.js';
import { Random } from '../differential/random.js';
import { GatewayProcess } from '../integration/gateway/gateway-process.js';
import { startTestEngine, type TestEngine } from '../support/engines.js';
import { RawHttpClient } from '../support/raw-http-client.js';
import { SmallDisk } from '../support/small-disk.js';
import { until } from '../support/until.js';
import { BadNetwork } from './bad-network.js';
import { ControlPlane } from './control-plane.js';
import type { Weather } from './fault-proxy.js';
import { Load } from './load.js';
import { Truth } from './truth.js';
import { Writer } from './writer.js';
import { Yardstick } from './yardstick.js';

const CROWD = 'online_now';
/** Paused and made active again, to see that it is told. */
const SWITCHED_CROWD = 'switched';
const PROXY_HOST = '127.0.0.2';
const REGION_SERVERS = ['regionserver-1', 'regionserver-2'];
const STALE_AFTER_MS = 5_000;
/** A user whose entry ends by its age while the store is away is not cached any more: none does while the suite runs. */
const CACHE_TTL_MS = 4 * 3_600_000;
/** Few enough that after seconds every worker was asked for each of them, and has them cached. */
const STEADY_USERS = 64;
const WARM_UP_MS = 10_000;
const CHANGING_USERS = 100;
const CLOCK_STEP = 'clock-step';
const SERVES_WITHIN_MS = 120_000;
/** What docs/operations.md advises for an HDFS that may become full: HBase waits for room, and goes on reading meanwhile. */
const WAITS_FOR_ROOM = {
  'hbase.regionserver.logroll.retries': '1000000',
  'hbase.regionserver.logroll.wait.timeout.ms': '3600000',
  'hbase.regionserver.wal.sync.timeout': '3600000',
  'hbase.regionserver.async.wal.max.exclude.datanode.count': '0',
  'hbase.ipc.server.callqueue.read.ratio': '0.5',
};
const TOLD_WITHIN_MS = 10_000;
/** Fresh connections that must agree: with two workers, one that was not told is missed once in 2^12. */
const AGREEING_ANSWERS = 12;

export interface RigOptions {
  readonly gateways: number;
  readonly workersEach: number;
  /** What each worker admits. */
  readonly usersPerSecondEach: number;
  /** Requests a second, of all gateways together. */
  readonly perSecond: number;
  readonly seed: number;
  /** Whether the data of HBase and of Kafka are on disks that can be filled. */
  readonly hasSmallDisks: boolean;
}

export const ENGINES = ['hbase', 'kafka', 'redis', 'postgres'] as const;
export type EngineName = (typeof ENGINES)[number];
export type ProxiedName = Exclude<EngineName, 'postgres'>;
const DISKS = ['hbase', 'kafka'] as const;
export type DiskName = (typeof DISKS)[number];

type Engines = Readonly<Record<EngineName, TestEngine>>;

/** A gateway that can be killed and started again where it was. */
interface Place {
  readonly environment: Record<string, string>;
  gateway: GatewayProcess;
}

interface Parts {
  readonly folder: string;
  readonly engines: Engines;
  readonly network: BadNetwork;
  readonly disks: ReadonlyMap<DiskName, SmallDisk>;
  readonly hbaseNodes: readonly Address[];
  readonly stores: Stores;
  readonly bus: EventBus;
  readonly writer: Writer;
  readonly plane: ControlPlane;
  readonly places: readonly Place[];
  readonly load: Load;
  readonly yardstick: Yardstick;
}

const storesAt = (nodes: readonly Address[]) =>
  openStores({ kind: 'hbase', nodes, user: 'quanren', tls: undefined });

const uids = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind}-${i}`);
const STEADY_UIDS = uids('steady', STEADY_USERS);
const CHANGING_UIDS = uids('changing', CHANGING_USERS);

export class Rig {
  readonly #parts: Parts;
  /** By gateway, how much of its output was looked at. */
  readonly #heard = new WeakMap<GatewayProcess, number>();

  static async start(options: RigOptions): Promise<Rig> {
    const folder = mkdtempSync(path.join(tmpdir(), 'quanren-faults-'));
    const ports: Record<string, number> = {};
    for (const name of [...REGION_SERVERS, 'kafka', 'redis']) ports[name] = await findFreePort();
    const portsOf = (names: readonly string[]) => names.map((name) => ports[name] ?? 0);
    const network = await BadNetwork.start({
      host: PROXY_HOST,
      ports: { hbase: portsOf(REGION_SERVERS), kafka: portsOf(['kafka']), redis: portsOf(['redis']) },
    });
    const [hbaseFolder, kafkaFolder] = [path.join(folder, 'hbase'), path.join(folder, 'kafka')];
    const disks = new Map<DiskName, SmallDisk>();
    // Of HBase, what the DataNode keeps: what the NameNode knows is on another disk, as anywhere.
    const diskFolders = { hbase: path.join(hbaseFolder, 'data', 'datanode'), kafka: kafkaFolder };
    for (const name of options.hasSmallDisks ? DISKS : []) {
      const disk = SmallDisk.mount(diskFolders[name]);
      if (disk !== undefined) disks.set(name, disk);
    }
    const pick = (names: readonly string[]) =>
      Object.fromEntries(names.map((name) => [name, ports[name] ?? 0]));
    const [hbase, kafka, redis, postgres] = await Promise.all([
      startTestEngine('hbase', {
        folder: hbaseFolder,
        regionServers: REGION_SERVERS.length,
        ports: pick(REGION_SERVERS),
        settings: { 'hbase.unsafe.regionserver.hostname': PROXY_HOST, ...WAITS_FOR_ROOM },
      }),
      startTestEngine('kafka', {
        folder: path.join(kafkaFolder, 'engine'),
        ports: pick(['kafka']),
        settings: { 'advertised.listeners': `PLAINTEXT://${PROXY_HOST}:${ports.kafka}` },
      }),
      startTestEngine('redis', { ports: pick(['redis']) }),
      startTestEngine('postgres'),
    ]);
    const hbaseNodes = REGION_SERVERS.map((name) => ({ host: PROXY_HOST, port: ports[name] ?? 0 }));
    const stores = storesAt(hbaseNodes);
    await stores.prepare();
    const broker = `${PROXY_HOST}:${ports.kafka}`;
    const kafkaConnection = { brokers: [broker], tls: null, sasl: null, prefix: '' };
    const bus = await openEventBus({ kafka: kafkaConnection, folder: '' });
    const truth = new Truth(STALE_AFTER_MS);
    const writer = new Writer({
      ...{ store: stores.memberships, bus, crowdCode: CROWD, uids: CHANGING_UIDS, truth },
      random: new Random(options.seed),
    });
    const plane = await ControlPlane.start(postgres.engine, bus, () => writer.hasPublishedAll);
    for (const crowdCode of [CROWD, SWITCHED_CROWD]) await plane.addCrowd(crowdCode);
    await writeFile(path.join(folder, CLOCK_STEP), '0');
    const environment = {
      NODE_OPTIONS: `--inspect-port=0 --import=${path.join(import.meta.dirname, 'step-clock.js')}`,
      CLOCK_STEP_FILE: path.join(folder, CLOCK_STEP),
      QUANREN_GATEWAY_WORKERS: String(options.workersEach),
      QUANREN_GATEWAY_WORKER_USERS_PER_SECOND: String(options.usersPerSecondEach),
      QUANREN_GATEWAY_WORKER_HEAP_MIB: '128',
      QUANREN_GATEWAY_CACHE_TTL_MS: String(CACHE_TTL_MS),
      QUANREN_GATEWAY_STALE_AFTER_MS: String(STALE_AFTER_MS),
      QUANREN_HBASE_NODES: hbaseNodes.map(formatAddress).join(),
      QUANREN_KAFKA_BROKERS: broker,
      QUANREN_REDIS_URL: `redis://${PROXY_HOST}:${ports.redis}`,
    };
    const places: Place[] = [];
    for (let i = 0; i < options.gateways; i += 1) {
      const own = { ...environment, QUANREN_GATEWAY_PORT: String(await findFreePort()) };
      places.push({ environment: own, gateway: await GatewayProcess.start({ folder }, own) });
    }
    const load = new Load({
      ports: places.map(({ environment: { QUANREN_GATEWAY_PORT: port } }) => Number(port)),
      perSecond: options.perSecond,
      crowdCode: CROWD,
      steadyUids: STEADY_UIDS,
      changingUids: CHANGING_UIDS,
      random: new Random(options.seed + 1),
      truth,
    });
    const engines = { hbase, kafka, redis, postgres };
    const yardstick = await Yardstick.start();
    const rig = new Rig({
      ...{ folder, engines, network, disks, hbaseNodes, stores, bus, writer, plane, places, load, yardstick },
    });
    await rig.#begin();
    return rig;
  }

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Every user is a member, and asked for by every gateway, before anything goes wrong. */
  async #begin(): Promise<void> {
    const { writer, load } = this.#parts;
    for (const gateway of this.gateways) await gateway.ready();
    await Promise.all([...STEADY_UIDS, ...CHANGING_UIDS].map((uid) => writer.write(uid)));
    load.start();
    writer.start();
    await sleep(WARM_UP_MS);
  }

  get engines(): Engines {
    return this.#parts.engines;
  }

  get load(): Load {
    return this.#parts.load;
  }

  get yardstick(): Yardstick {
    return this.#parts.yardstick;
  }

  get plane(): ControlPlane {
    return this.#parts.plane;
  }

  get gateways(): readonly GatewayProcess[] {
    return this.#parts.places.map(({ gateway }) => gateway);
  }

  /** The first gateway: of all faults of gateways the one that is hurt. */
  get victim(): GatewayProcess {
    const [gateway] = this.gateways;
    if (gateway === undefined) throw new RangeError('There is no gateway.');
    return gateway;
  }

  disk(name: DiskName): SmallDisk {
    const disk = this.#parts.disks.get(name);
    if (disk === undefined) throw new RangeError(`${name} is on no disk of its own.`);
    return disk;
  }

  /** Epoch milliseconds when the store last acknowledged a change. */
  get lastAcknowledgedMs(): number {
    return this.#parts.writer.lastAcknowledgedMs;
  }

  turn(engine: ProxiedName, weather: Weather): Promise<void> {
    return this.#parts.network.turn(engine, weather);
  }

  /** Sets the clocks of all gateways so many milliseconds beside the machine's. */
  async setClocks(stepMs: number): Promise<void> {
    await writeFile(path.join(this.#parts.folder, CLOCK_STEP), String(stepMs));
    for (const gateway of this.gateways) {
      for (const pid of [gateway.child.pid ?? 0, ...gateway.workers()]) {
        try {
          process.kill(pid, 'SIGUSR2');
        } catch (error) {
          // It was just killed: what is started in its place reads the step by itself.
          if (reasonOf(error) !== 'ESRCH') throw error;
        }
      }
    }
  }

  /**
   * Resolves when HBase serves every region again: servers answer before their regions are open. Each look is a client's that
   * knows nothing of before, so that what a client needs to find back is counted as the gateways'.
   */
  async storeServes(): Promise<void> {
    const canRead = async () => {
      const stores = storesAt(this.#parts.hbaseNodes);
      try {
        await stores.memberships.getMany(STEADY_UIDS, { deadlineMs: 1_000 });
        return true;
      } catch {
        return false;
      } finally {
        await stores.close();
      }
    };
    await until('HBase serves', canRead, SERVES_WITHIN_MS, 100);
  }

  /** Resolves when the store has acknowledged another change. */
  async storeTakesChanges(): Promise<void> {
    const nowMs = Date.now();
    await until('HBase takes changes', () => this.lastAcknowledgedMs > nowMs, SERVES_WITHIN_MS, 100);
  }

  async flushRedis(): Promise<void> {
    const [, port = ''] = (this.engines.redis.engine.addresses.redis ?? '').split(':');
    const redis = new Redis(Number(port), '127.0.0.1');
    await redis.flushall();
    redis.disconnect();
  }

  async killVictim(): Promise<void> {
    const { child } = this.victim;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  /** To its main process and its workers. */
  signalVictim(signal: 'SIGSTOP' | 'SIGCONT'): void {
    for (const pid of [this.victim.child.pid ?? 0, ...this.victim.workers()]) process.kill(pid, signal);
  }

  /** Resolves when it listens. */
  async startVictim(): Promise<void> {
    const [place] = this.#parts.places;
    if (place !== undefined)
      place.gateway = await GatewayProcess.start({ folder: this.#parts.folder }, place.environment);
  }

  /** Changes the catalog, and resolves when every worker of every gateway answers so. */
  async switchCrowd(status: 'active' | 'paused'): Promise<void> {
    await this.plane.setStatus(SWITCHED_CROWD, status);
    const reason = status === 'paused' ? 'paused_crowd' : 'not_member';
    const deadlineMs = Date.now() + TOLD_WITHIN_MS;
    for (const { url } of this.gateways) {
      for (let agreeing = 0; agreeing < AGREEING_ANSWERS; ) {
        const client = await RawHttpClient.connect(Number(new URL(url).port));
        const { body } = await client.get(`/match?uid=${STEADY_UIDS[0]}&crowdCode=${SWITCHED_CROWD}`);
        client.destroy();
        if (body.includes(`"reason":"${reason}"`)) {
          agreeing += 1;
          continue;
        }
        agreeing = 0;
        if (Date.now() > deadlineMs) throw new Error(`A change of a rule was not told: ${body}`);
        await sleep(50);
      }
    }
  }

  /** What the gateways have logged as errors since this was last asked. */
  troubles(): string[] {
    return this.gateways.flatMap((gateway) => {
      const from = this.#heard.get(gateway) ?? 0;
      this.#heard.set(gateway, gateway.output.length);
      const lines = gateway.output.slice(from).split('\n');
      return lines.flatMap((line) => /"level":[56]0.*"msg":"([^"]*)"/.exec(line)?.[1] ?? []);
    });
  }

  async stop(): Promise<void> {
    const { load, writer, plane, stores, bus, engines, network, disks, yardstick, folder } = this.#parts;
    await load.stop();
    await writer.stop();
    await yardstick.stop();
    await plane.stop();
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await stores.close();
    await bus.close();
    await Promise.all(Object.values(engines).map((engine) => engine.remove()));
    await network.stop();
    for (const disk of disks.values()) disk.unmount();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of a gateway's main process and its workers. */
export function residentMib({ child: { pid } }: GatewayProcess): number {
  const args = ['-o', 'rss=', '-p', String(pid), '--ppid', String(pid)];
  const sizes = execFileSync('ps', args, { encoding: 'utf8' }).trim().split(/\s+/).map(Number);
  return sizes.reduce((sum, kib) => sum + kib, 0) / 1_024;
}
