/**
 * An engine: the processes of one server (Redis) or one cluster (HBase with its HDFS and ZooKeeper), over a folder:
 *
 *   <folder>/engine.json   what was asked for, its ports, and which processes are it
 *   <folder>/data/         what the servers keep
 *   <folder>/conf/         what is written for them at every start
 *   <folder>/logs/         what they say, a file each
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../errors/quanren-error.js';
import type { JvmOptions } from './jvm.js';
import { type Release, withLock } from './lock.js';
import { reservePorts } from './ports.js';
import { type ProcessIdentity, requireProc } from './process-identity.js';
import type { Properties } from './properties.js';
import { ServerProcess, type ServerRecipe } from './server-process.js';

const LOCK_WITHIN_MS = 10 * 60_000;

export type Ports = Readonly<Record<string, number>>;

/** What the recipe of an engine has to work with. */
export interface Site {
  readonly folder: string;
  readonly cacheFolder: string;
  readonly ports: Ports;
  readonly onProgress: (text: string) => void;
}

export interface EngineRecipe {
  /** For people and for folders: `hbase`. */
  readonly kind: string;
  /** What the folder's data depend on; other data cannot take its place. */
  readonly layout: string;
  /** The names of its ports. */
  readonly ports: readonly string[];
  /** Where clients connect to, by name. */
  readonly addresses: (ports: Ports) => Readonly<Record<string, string>>;
  /** The servers, in stages: those of one are started together, when those before answer. Starts and fetches nothing. */
  readonly servers: (site: Site) => readonly (readonly ServerRecipe[])[];
  /** Fetches, writes and formats whatever the servers find when they start; harmless when repeated. */
  readonly prepare: (site: Site) => Promise<void>;
}

/** What an engine can be told about its servers. The folder remembers none of it but how many servers there are. */
export interface EngineChoices {
  /** hbase-site.xml, server.properties, redis.conf or postgresql.conf, over what is given by default. */
  readonly settings?: Properties;
  /** Of the servers that do the work, where they run on Java. */
  readonly jvm?: JvmOptions;
  /**
   * HBase alone: a cluster over HDFS with so many region servers, where each process is a JVM. Not given: what the folder
   * holds, at first all in one JVM.
   */
  readonly regionServers?: number;
  /**
   * Kafka alone: a cluster of so many nodes, with three replicas of everything, of which two must have a message before it is
   * acknowledged. Not given: what the folder holds, at first one node.
   */
  readonly brokers?: number;
}

export interface EngineOptions extends EngineChoices {
  /** Of this engine alone; made where it is missing. */
  readonly folder: string;
  /** Where fetched files are kept, for all engines. */
  readonly cacheFolder: string;
  /** By the recipe's names; what is not told is chosen. */
  readonly ports?: Ports;
  readonly onProgress?: (text: string) => void;
}

/** Of a process: what its record and the system say, and whether it answers. */
export type ProcessStatus = 'answers' | 'silent' | 'paused' | 'dead' | 'stopped';

interface EngineRecord {
  readonly layout: string;
  readonly ports: Ports;
  readonly processes: Readonly<Record<string, ProcessIdentity>>;
}

const FILE = 'engine.json';

function readRecord(folder: string): EngineRecord | undefined {
  const file = path.join(folder, FILE);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as EngineRecord) : undefined;
}

/** What the folder was first used for; undefined where it was not yet. */
export function readLayout(folder: string): string | undefined {
  return readRecord(folder)?.layout;
}

export class Engine {
  readonly kind: string;
  readonly #recipe: EngineRecipe;
  readonly #options: EngineOptions;
  /** By name; they stay the same objects, however often the servers are started. */
  readonly #processes = new Map<string, ServerProcess>();
  #stages: readonly (readonly ServerProcess[])[] = [];
  #record: EngineRecord;

  /** Finds what runs over the folder, if anything; changes nothing. */
  constructor(recipe: EngineRecipe, options: EngineOptions) {
    requireProc();
    this.kind = recipe.kind;
    this.#recipe = recipe;
    this.#options = { ...options, folder: path.resolve(options.folder) };
    this.#record = { layout: recipe.layout, ports: {}, processes: {} };
    this.#find();
  }

  get folder(): string {
    return this.#options.folder;
  }

  get ports(): Ports {
    return this.#record.ports;
  }

  /** `127.0.0.1:PORT` or a URL, by name; empty before the first start. */
  get addresses(): Readonly<Record<string, string>> {
    return Object.keys(this.ports).length === 0 ? {} : this.#recipe.addresses(this.ports);
  }

  /** In the order of their start; none before the first. */
  get processes(): readonly ServerProcess[] {
    return this.#stages.flat();
  }

  process(name: string): ServerProcess {
    const found = this.processes.find((each) => each.name === name);
    if (found !== undefined) return found;
    const names = this.processes.map((each) => each.name).join(', ');
    throw new QuanrenError(
      'not_found',
      `${this.kind} has no process '${name}', only: ${names || 'none yet'}.`,
    );
  }

  /**
   * Starts what does not run, and resolves when all of it answers; the names of the processes that it started. What died
   * comes back on its ports, with its data. Rejects with `set_up`, `unavailable` or `conflict`, and leaves nothing
   * running that it started.
   */
  start(): Promise<readonly string[]> {
    return this.#locked(async () => {
      this.#find();
      const release = await this.#takePorts();
      const started = new Set<ServerProcess>();
      const launch = async (each: ServerProcess): Promise<void> => {
        started.add(each);
        await each.launch();
      };
      const answers = async (each: ServerProcess): Promise<void> => {
        try {
          await each.answers();
        } catch (error) {
          // A region server ends by itself when its HDFS was away, often only after that has come back.
          if (started.has(each) || !isDown(each)) throw error;
          await launch(each);
          await each.answers();
        }
      };
      try {
        if (this.processes.some(isDown)) await this.#recipe.prepare(this.#site());
        for (const stage of this.#stages) {
          for (const each of stage) {
            if (each.state === 'paused') await each.resume();
            if (isDown(each)) await launch(each);
          }
          await Promise.all(stage.map(answers));
        }
        return Array.from(started, ({ name }) => name);
      } catch (error) {
        for (const each of [...started].reverse()) await each.stop();
        throw error;
      } finally {
        release();
      }
    });
  }

  /** How each process is; asks those that run. */
  async status(): Promise<ReadonlyMap<string, ProcessStatus>> {
    const ask = async (each: ServerProcess): Promise<ProcessStatus> => {
      if (each.state !== 'running') return each.state;
      return each.ask().then(
        () => 'answers',
        () => (each.state === 'running' ? 'silent' : each.state),
      );
    };
    return new Map(
      await Promise.all(this.processes.map(async (each) => [each.name, await ask(each)] as const)),
    );
  }

  /** Ends all processes at once (kill -9), as a power cut would. Harmless when nothing runs. */
  async kill(): Promise<void> {
    await Promise.all(this.processes.filter((each) => !isDown(each)).map((each) => each.kill()));
  }

  /** Ends all processes in order, the last started first. Harmless when nothing runs; the names of those that ran. */
  stop(): Promise<readonly string[]> {
    return this.#locked(async () => {
      this.#find();
      const running = this.processes.filter((each) => !isDown(each));
      for (const stage of this.#stages.toReversed()) await Promise.all(stage.map((each) => each.stop()));
      return running.map(({ name }) => name);
    });
  }

  #locked<T>(work: () => Promise<T>): Promise<T> {
    return withLock(`engine ${this.folder}`, LOCK_WITHIN_MS, work);
  }

  #site(): Site {
    const { folder, cacheFolder, onProgress = () => undefined } = this.#options;
    return { folder, cacheFolder, onProgress, ports: this.ports };
  }

  /** Takes over what the folder's record says, which another process may have changed. */
  #find(): void {
    const record = readRecord(this.folder);
    if (record === undefined) return;
    const { kind, layout } = this.#recipe;
    if (record.layout !== layout) {
      throw new QuanrenError(
        'conflict',
        `${this.folder} holds the data of ${kind} (${record.layout}), which ${kind} (${layout}) cannot take over: give that one another name or folder.`,
      );
    }
    this.#take(record);
  }

  #take(record: EngineRecord): void {
    this.#record = record;
    this.#stages = this.#recipe
      .servers(this.#site())
      .map((stage) => stage.map((server) => this.#process(server, record.processes[server.name])));
  }

  #process(recipe: ServerRecipe, identity: ProcessIdentity | undefined): ServerProcess {
    const { name } = recipe;
    const known = this.#processes.get(name);
    if (known !== undefined) {
      known.update(recipe, identity);
      return known;
    }
    const created = new ServerProcess(recipe, identity, (now) => {
      const { [name]: _, ...others } = this.#record.processes;
      this.#write({ ...this.#record, processes: now === undefined ? others : { ...others, [name]: now } });
    });
    this.#processes.set(name, created);
    return created;
  }

  /** What runs or died keeps its ports; what was stopped may go elsewhere if others are there now. */
  async #takePorts(): Promise<Release> {
    const { ports: before, processes } = this.#record;
    const told = this.#options.ports ?? {};
    for (const name of Object.keys(told)) {
      if (this.#recipe.ports.includes(name)) continue;
      throw new QuanrenError(
        'bad_request',
        `${this.kind} has no port '${name}', only: ${this.#recipe.ports.join(', ')}.`,
      );
    }
    if (Object.keys(processes).length > 0) {
      const other = Object.keys(told).find((name) => told[name] !== before[name]);
      if (other === undefined) return () => undefined;
      throw new QuanrenError(
        'conflict',
        `${this.kind} is up with port ${before[other]} for ${other}: stop it before it is given ${told[other]}.`,
      );
    }
    const { ports, release } = await reservePorts(this.#recipe.ports, told, before);
    const record = { layout: this.#recipe.layout, ports, processes };
    this.#write(record);
    this.#take(record);
    return release;
  }

  #write(record: EngineRecord): void {
    mkdirSync(this.folder, { recursive: true });
    const file = path.join(this.folder, FILE);
    writeFileSync(`${file}.new`, `${JSON.stringify(record, null, 2)}\n`);
    renameSync(`${file}.new`, file);
    this.#record = record;
  }
}

function isDown({ state }: ServerProcess): boolean {
  return state === 'stopped' || state === 'dead';
}
