/** Kafka with one node, which is broker and controller (KRaft). */
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

function properties({ ports, folder }: Site): Properties {
  const broker = `127.0.0.1:${ports.kafka}`;
  const controller = `127.0.0.1:${ports.controller}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${broker},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${broker}`,
    'log.dirs': path.join(folder, 'data'),
    // A broker that was killed comes back when its session is over; so short a one is safe with a controller in its JVM.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'transaction.max.timeout.ms': '3600000',
    // One node has one replica of everything, and no use for fifty partitions of its own topics.
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '4',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '4',
    // By default half of the heap that is given to it here.
    'log.cleaner.dedupe.buffer.size': '16777216',
  };
}

export function kafka({ settings = {}, jvm = {} }: EngineChoices): EngineRecipe {
  const configuration = ({ folder }: Site) => path.join(folder, 'conf', 'server.properties');
  const logFile = ({ folder }: Site) => path.join(folder, 'logs', 'kafka.log');
  const run = (site: Site, mainClass: string, args: readonly string[]): JavaProgram => ({
    folder: site.folder,
    logFile: logFile(site),
    classPath: [path.join(engineFilesFolder(FILES, site.cacheFolder), '*')],
    mainClass,
    args,
    heapMib: jvm.heapMib ?? DEFAULT_HEAP_MIB,
    flags: [...LOGGING, ...(jvm.flags ?? [])],
  });
  return {
    kind: 'kafka',
    layout: 'one node',
    ports: ['kafka', 'controller'],
    addresses: (ports) => ({ kafka: `127.0.0.1:${ports.kafka}` }),
    prepare: async (site) => {
      requireJava('Kafka');
      await fetchEngineFiles(FILES, site.cacheFolder, site.onProgress);
      const all = { ...properties(site), ...settings };
      mkdirSync(path.join(site.folder, 'conf'), { recursive: true });
      writeFileSync(configuration(site), formatProperties(all));
      await formatOnce(path.join(site.folder, 'data'), async (fresh) => {
        const forFormat = `${configuration(site)}.format`;
        writeFileSync(forFormat, formatProperties({ ...all, 'log.dirs': fresh }));
        const clusterId = randomBytes(16).toString('base64url');
        const args = ['format', '--cluster-id', clusterId, '--config', forFormat];
        const format = run(site, 'kafka.tools.StorageTool', args);
        await runJava({ ...format, flags: [...LOGGING, ...QUICK_JVM] }, FORMAT_WITHIN_MS);
      });
    },
    servers: (site) => [
      [
        {
          name: 'kafka',
          logFile: logFile(site),
          launch: () => launchJava(run(site, 'kafka.Kafka', [configuration(site)])),
          ask: (signal) => askBroker(site.ports.kafka ?? 0, signal),
          answersWithinMs: ANSWERS_WITHIN_MS,
          stopSignal: 'SIGTERM',
          stopsWithinMs: STOPS_WITHIN_MS,
        },
      ],
    ],
  };
}
