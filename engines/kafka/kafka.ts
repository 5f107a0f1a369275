/** Kafka with one node, or a few, each of which is broker and controller (KRaft). */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { EngineChoices, EngineRecipe, Site } from '../engine.js';
import { formatOnce } from '../format-once.js';
import { type EngineFiles, engineFilesFolder, fetchEngineFiles } from '../jars.js';
import { type JavaProgram, launchJava, QUICK_JVM, runJava } from '../jvm.js';
import { formatProperties, type Properties } from '../properties.js';
import { requireJava } from '../tools.js';
import { askBroker } from './ask.js';

const FILES: EngineFiles = { engine: 'kafka', goal: 'copy-dependencies' };
const DEFAULT_HEAP_MIB = 256;
const FORMAT_WITHIN_MS = 60_000;
const ANSWERS_WITHIN_MS = 90_000;
const STOPS_WITHIN_MS = 30_000;

const LOGGING = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.BrokerServer=info',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.ControllerServer=info',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
];

interface Node {
  /** 1 for the first. */
  readonly id: number;
  /** Of its process; its port too, and that of its controller. */
  readonly name: string;
  readonly controller: string;
  /** Below the folder of the engine's data. */
  readonly folder: string;
}

/** One node alone, or so many. */
function nodesOf(brokers: number | undefined): readonly Node[] {
  if (brokers === undefined) return [{ id: 1, name: 'kafka', controller: 'controller', folder: '' }];
  return Array.from({ length: brokers }, (_, index) => {
    const id = index + 1;
    return { id, name: `kafka-${id}`, controller: `controller-${id}`, folder: `node-${id}` };
  });
}

function properties({ ports, folder }: Site, node: Node, nodes: readonly Node[]): Properties {
  const broker = `127.0.0.1:${ports[node.name]}`;
  const controller = (of: Node) => `127.0.0.1:${ports[of.controller]}`;
  const replicas = String(Math.min(nodes.length, 3));
  const inSync = String(Math.min(nodes.length, 2));
  return {
    'process.roles': 'broker,controller',
    'node.id': String(node.id),
    'controller.quorum.voters': nodes.map((each) => `${each.id}@${controller(each)}`).join(),
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${broker},CONTROLLER://${controller(node)}`,
    'advertised.listeners': `PLAINTEXT://${broker}`,
    'log.dirs': path.join(folder, 'data', node.folder),
    // A broker that was killed comes back, or others take over, when its session is over. So short a one is safe where the
    // controller is in its JVM, and does no harm but a vote among a few on one machine.
    'broker.session.timeout.ms': nodes.length === 1 ? '2000' : '4000',
    'broker.heartbeat.interval.ms': '500',
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'transaction.max.timeout.ms': '3600000',
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    // So few have no use for fifty partitions of their own topics.
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': replicas,
    'share.coordinator.state.topic.min.isr': inSync,
    'share.coordinator.state.topic.num.partitions': '4',
    // By default half of the heap that is given to it here.
    'log.cleaner.dedupe.buffer.size': '16777216',
  };
}

function formatLayout(brokers: number | undefined): string {
  return brokers === undefined ? 'one node' : `a cluster of ${brokers} nodes`;
}

/** Undefined where the layout is that of one node. */
function readBrokers(layout: string | undefined): number | undefined {
  const count = /^a cluster of (\d+) /.exec(layout ?? '')?.[1];
  return count === undefined ? undefined : Number(count);
}

/** A UUID in base64url; as Kafka's own (Uuid.randomUuid) none that begins with '-', which a command takes for an option. */
function createClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString('base64url');
}

export function kafka(choices: EngineChoices, layout: string | undefined): EngineRecipe {
  const { settings = {}, jvm = {}, brokers = readBrokers(layout) } = choices;
  const nodes = nodesOf(brokers);
  const configuration = ({ folder }: Site, { name }: Node) =>
    path.join(folder, 'conf', name === 'kafka' ? 'server.properties' : `${name}.properties`);
  const logFile = ({ folder }: Site, { name }: Node) => path.join(folder, 'logs', `${name}.log`);
  const run = (site: Site, node: Node, mainClass: string, args: readonly string[]): JavaProgram => ({
    folder: site.folder,
    logFile: logFile(site, node),
    classPath: [path.join(engineFilesFolder(FILES, site.cacheFolder), '*')],
    mainClass,
    args,
    heapMib: jvm.heapMib ?? DEFAULT_HEAP_MIB,
    flags: [...LOGGING, ...(jvm.flags ?? [])],
  });
  const allProperties = (site: Site, node: Node) => ({ ...properties(site, node, nodes), ...settings });
  const format = async (site: Site, node: Node, clusterId: string, fresh: string) => {
    const file = `${configuration(site, node)}.format`;
    const forFormat = { ...allProperties(site, node), 'log.dirs': path.join(fresh, node.folder) };
    writeFileSync(file, formatProperties(forFormat));
    const args = ['format', '--cluster-id', clusterId, '--config', file];
    const program = run(site, node, 'kafka.tools.StorageTool', args);
    await runJava({ ...program, flags: [...LOGGING, ...QUICK_JVM] }, FORMAT_WITHIN_MS);
  };
  return {
    kind: 'kafka',
    layout: formatLayout(brokers),
    ports: nodes.flatMap(({ name, controller }) => [name, controller]),
    addresses: (ports) => ({ kafka: nodes.map(({ name }) => `127.0.0.1:${ports[name]}`).join() }),
    prepare: async (site) => {
      requireJava('Kafka');
      await fetchEngineFiles(FILES, site.cacheFolder, site.onProgress);
      mkdirSync(path.join(site.folder, 'conf'), { recursive: true });
      for (const node of nodes)
        writeFileSync(configuration(site, node), formatProperties(allProperties(site, node)));
      await formatOnce(path.join(site.folder, 'data'), async (fresh) => {
        const clusterId = createClusterId();
        await Promise.all(nodes.map((node) => format(site, node, clusterId, fresh)));
      });
    },
    servers: (site) => [
      nodes.map((node) => ({
        name: node.name,
        logFile: logFile(site, node),
        launch: () => launchJava(run(site, node, 'kafka.Kafka', [configuration(site, node)])),
        ask: (signal: AbortSignal) => askBroker(site.ports[node.name] ?? 0, signal),
        answersWithinMs: ANSWERS_WITHIN_MS,
        stopSignal: 'SIGTERM' as const,
        stopsWithinMs: STOPS_WITHIN_MS,
      })),
    ],
  };
}
