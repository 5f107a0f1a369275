/**
 * HBase with master, region server and ZooKeeper in one JVM, over the local file system: quickly up, and small. The
 * local file system does not sync the write-ahead log: kill -9 may lose writes that were acknowledged. Scenes that
 * kill take the cluster.
 */
import path from 'node:path';
import type { EngineChoices, EngineRecipe, Site } from '../engine.js';
import { launchJava } from '../jvm.js';
import { formatSite, type Properties } from '../properties.js';
import { askMaster, askMasterToStop, askRegionServer } from './ask.js';
import { writeConfiguration } from './configuration.js';
import { commonProperties, configurationFolder, hbaseProgram, provideHBase } from './server.js';

const DEFAULT_HEAP_MIB = 1024;
/** Seen: 8 s; 22 s after a kill -9 with data. */
const ANSWERS_WITHIN_MS = 120_000;
/** Seen: 3 s; it writes out what is in memory only. */
const STOPS_WITHIN_MS = 60_000;

function siteProperties({ folder, ports }: Site): Properties {
  const data = path.join(folder, 'data');
  return {
    ...commonProperties(ports),
    'hbase.cluster.distributed': 'false',
    'hbase.localcluster.assign.random.ports': 'false',
    'hbase.regionserver.port': `${ports.regionserver}`,
    'hbase.rootdir': `file://${path.join(data, 'hbase')}`,
    'hbase.tmp.dir': path.join(data, 'tmp'),
    'hbase.zookeeper.property.dataDir': path.join(data, 'zookeeper'),
    // The local file system cannot sync; the asynchronous write-ahead log wants HDFS.
    'hbase.unsafe.stream.capability.enforce': 'false',
    'hbase.wal.provider': 'filesystem',
  };
}

export function standaloneHBase({ settings = {}, jvm = {} }: EngineChoices): EngineRecipe {
  return {
    kind: 'hbase',
    layout: 'all in one JVM',
    ports: ['master', 'regionserver', 'zookeeper'],
    addresses: (ports) => ({
      bootstrap: `127.0.0.1:${ports.master},127.0.0.1:${ports.regionserver}`,
      zookeeper: `127.0.0.1:${ports.zookeeper}`,
    }),
    prepare: async (site) => {
      await provideHBase(site);
      const properties = { ...siteProperties(site), ...settings };
      writeConfiguration(configurationFolder(site), { 'hbase-site.xml': formatSite(properties) });
    },
    servers: (site) => {
      const { master = 0, regionserver = 0 } = site.ports;
      const logFile = path.join(site.folder, 'logs', 'hbase.log');
      const program = {
        mainClass: 'org.apache.hadoop.hbase.master.HMaster',
        args: ['start'],
        logFile,
        heapMib: jvm.heapMib ?? DEFAULT_HEAP_MIB,
        ...(jvm.flags === undefined ? {} : { flags: jvm.flags }),
      };
      return [
        [
          {
            name: 'hbase',
            logFile,
            launch: () => launchJava(hbaseProgram(site, program)),
            ask: async (signal) => {
              await askMaster(master, signal);
              await askRegionServer(regionserver, signal);
            },
            answersWithinMs: ANSWERS_WITHIN_MS,
            // A signal ends ZooKeeper first, which the region server then looks for in vain for half a minute.
            askToStop: (signal) => askMasterToStop(master, signal),
            stopSignal: 'SIGTERM',
            stopsWithinMs: STOPS_WITHIN_MS,
          },
        ],
      ];
    },
  };
}
