/**
 * HBase as it is run in earnest, on one machine: ZooKeeper, master, each region server and HDFS's NameNode and DataNode
 * are JVMs of their own, so that each can be killed alone. Over HDFS a write that was acknowledged survives kill -9 of
 * its region server.
 */
import path from 'node:path';
import type { EngineChoices, EngineRecipe, Site } from '../engine.js';
import { exchange } from '../exchange.js';
import { type JavaProgram, launchJava, QUICK_JVM } from '../jvm.js';
import { formatProperties, formatSite, type Properties } from '../properties.js';
import type { ServerRecipe } from '../server-process.js';
import { askMaster, askRegionServer } from './ask.js';
import { writeConfiguration } from './configuration.js';
import {
  coreProperties,
  formatHdfs,
  HDFS_PORTS,
  hdfsProperties,
  hdfsServers,
  hdfsUrl,
  makeWebFolders,
} from './hdfs.js';
import { commonProperties, configurationFolder, hbaseProgram, provideHBase } from './server.js';

const REGION_SERVER_HEAP_MIB = 512;
const MASTER_HEAP_MIB = 256;
const ZOOKEEPER_HEAP_MIB = 64;
/** A master whose region servers were all killed splits their logs before it answers. */
const ANSWERS_WITHIN_MS = 180_000;
const STOPS_WITHIN_MS = 60_000;
/** A region server that is silent for this long is given up, and its regions are opened elsewhere. */
const SESSION_MS = 6_000;

function siteProperties(site: Site): Properties {
  return {
    ...commonProperties(site.ports),
    'hbase.cluster.distributed': 'true',
    'hbase.rootdir': `${hdfsUrl(site.ports)}/hbase`,
    'hbase.tmp.dir': path.join(site.folder, 'tmp'),
    'zookeeper.session.timeout': `${SESSION_MS}`,
    // The log of a killed server is read as soon as HDFS has closed it, which takes about a heartbeat of the DataNode.
    'hbase.lease.recovery.first.pause': '300',
    'hbase.lease.recovery.pause': '300',
  };
}

/** zoo.cfg; sessions last 2 to 20 ticks. */
function zookeeperProperties({ folder, ports }: Site): Properties {
  return {
    tickTime: `${SESSION_MS / 3}`,
    clientPort: `${ports.zookeeper}`,
    clientPortAddress: '127.0.0.1',
    dataDir: path.join(folder, 'data', 'zookeeper'),
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': 'srvr',
  };
}

/** ZooKeeper's word `srvr`: it ends with the mode and the number of nodes once it serves. */
async function askZookeeper(port: number, signal: AbortSignal): Promise<void> {
  await exchange(port, Buffer.from('srvr'), (answer) => answer.includes('Mode: standalone'), signal);
}

function formatLayout(regionServers: number): string {
  return `a cluster with ${regionServers} region servers`;
}

/** Undefined where the layout is not that of a cluster. */
export function readRegionServers(layout: string): number | undefined {
  const count = /^a cluster with (\d+) /.exec(layout)?.[1];
  return count === undefined ? undefined : Number(count);
}

export function hbaseCluster(
  regionServers: number,
  { settings = {}, jvm = {} }: EngineChoices,
): EngineRecipe {
  const regionServerNames = Array.from({ length: regionServers }, (_, index) => `regionserver-${index + 1}`);

  const servers = (site: Site): ServerRecipe[][] => {
    const port = (name: string) => site.ports[name] ?? 0;
    const recipe = (
      name: string,
      program: Pick<JavaProgram, 'mainClass' | 'args' | 'heapMib' | 'flags'>,
      ask: (port: number, signal: AbortSignal) => Promise<void>,
    ): ServerRecipe => {
      const logFile = path.join(site.folder, 'logs', `${name}.log`);
      return {
        name,
        logFile,
        launch: () => launchJava(hbaseProgram(site, { ...program, logFile })),
        ask: (signal) => ask(port(name), signal),
        answersWithinMs: ANSWERS_WITHIN_MS,
        stopSignal: 'SIGTERM',
        stopsWithinMs: STOPS_WITHIN_MS,
      };
    };
    const zookeeper = {
      mainClass: 'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      args: [path.join(configurationFolder(site), 'zoo.cfg')],
      heapMib: ZOOKEEPER_HEAP_MIB,
      flags: QUICK_JVM,
    };
    const master = {
      mainClass: 'org.apache.hadoop.hbase.master.HMaster',
      args: ['start'],
      heapMib: MASTER_HEAP_MIB,
      flags: QUICK_JVM,
    };
    const regionServer = (name: string) => ({
      mainClass: 'org.apache.hadoop.hbase.regionserver.HRegionServer',
      args: ['-D', `hbase.regionserver.port=${port(name)}`, 'start'],
      heapMib: jvm.heapMib ?? REGION_SERVER_HEAP_MIB,
      ...(jvm.flags === undefined ? {} : { flags: jvm.flags }),
    });
    return [
      [...hdfsServers(site), recipe('zookeeper', zookeeper, askZookeeper)],
      [
        recipe('master', master, askMaster),
        ...regionServerNames.map((name) => recipe(name, regionServer(name), askRegionServer)),
      ],
    ];
  };

  return {
    kind: 'hbase',
    layout: formatLayout(regionServers),
    ports: ['master', ...regionServerNames, 'zookeeper', ...HDFS_PORTS],
    addresses: (ports) => ({
      bootstrap: ['master', ...regionServerNames].map((name) => `127.0.0.1:${ports[name]}`).join(','),
      zookeeper: `127.0.0.1:${ports.zookeeper}`,
      hdfs: hdfsUrl(ports),
    }),
    prepare: async (site) => {
      await provideHBase(site);
      const folder = configurationFolder(site);
      writeConfiguration(folder, {
        'core-site.xml': formatSite(coreProperties(site)),
        'hdfs-site.xml': formatSite(hdfsProperties(site)),
        'hbase-site.xml': formatSite({ ...siteProperties(site), ...settings }),
        'zoo.cfg': formatProperties(zookeeperProperties(site)),
      });
      makeWebFolders(folder);
      await formatHdfs(site);
    },
    servers,
  };
}
