/** One NameNode and one DataNode, for HBase to write to: this file system syncs, so that what HBase acknowledged stays. */
import { mkdirSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Ports, Site } from '../engine.js';
import { formatOnce } from '../format-once.js';
import { launchJava, QUICK_JVM, runJava } from '../jvm.js';
import type { Properties } from '../properties.js';
import type { ServerRecipe } from '../server-process.js';
import { hbaseProgram } from './server.js';

export const HDFS_PORTS = ['namenode', 'namenode-http', 'datanode', 'datanode-ipc', 'datanode-http'] as const;

const NAMENODE = 'org.apache.hadoop.hdfs.server.namenode.NameNode';
const DATANODE = 'org.apache.hadoop.hdfs.server.datanode.DataNode';
const HEAP_MIB = 128;
const FORMAT_WITHIN_MS = 60_000;
const ANSWERS_WITHIN_MS = 90_000;
const STOPS_WITHIN_MS = 20_000;
/** What the asker writes, and writes over. */
const ASKED_FILE = 'quanren-asked';

export function hdfsUrl(ports: Ports): string {
  return `hdfs://127.0.0.1:${ports.namenode}`;
}

const nameFolder = ({ folder }: Site) => path.join(folder, 'data', 'namenode');

/** core-site.xml */
export function coreProperties(site: Site): Properties {
  return {
    'fs.defaultFS': hdfsUrl(site.ports),
    'hadoop.tmp.dir': path.join(site.folder, 'tmp'),
  };
}

/** hdfs-site.xml */
export function hdfsProperties(site: Site): Properties {
  const { ports, folder } = site;
  return {
    'dfs.namenode.rpc-address': `127.0.0.1:${ports.namenode}`,
    'dfs.namenode.http-address': `127.0.0.1:${ports['namenode-http']}`,
    'dfs.datanode.address': `127.0.0.1:${ports.datanode}`,
    'dfs.datanode.ipc.address': `127.0.0.1:${ports['datanode-ipc']}`,
    'dfs.datanode.http.address': `127.0.0.1:${ports['datanode-http']}`,
    'dfs.datanode.hostname': '127.0.0.1',
    'dfs.namenode.name.dir': pathToFileURL(nameFolder(site)).href,
    'dfs.datanode.data.dir': pathToFileURL(path.join(folder, 'data', 'datanode')).href,
    'dfs.replication': '1',
    'dfs.permissions.enabled': 'false',
    'dfs.namenode.datanode.registration.ip-hostname-check': 'false',
    // Blocks of one DataNode are all there as soon as it has reported: nothing to wait for.
    'dfs.namenode.safemode.extension': '0',
    // The DataNode hears with its heartbeat that it must recover the block of a writer that was killed.
    'dfs.heartbeat.interval': '1',
  };
}

/** Hadoop's web servers want a folder each on the class path; WebHDFS needs nothing in it. */
export function makeWebFolders(configuration: string): void {
  for (const name of ['hdfs', 'datanode']) {
    mkdirSync(path.join(configuration, 'webapps', name), { recursive: true });
  }
}

/** Formats the NameNode's folder where it is not there. */
export async function formatHdfs(site: Site): Promise<void> {
  await formatOnce(nameFolder(site), async (fresh) => {
    const format = hbaseProgram(site, {
      mainClass: NAMENODE,
      args: [`-Ddfs.namenode.name.dir=${pathToFileURL(fresh).href}`, '-format', '-nonInteractive'],
      logFile: path.join(site.folder, 'logs', 'format.log'),
      heapMib: HEAP_MIB,
      flags: QUICK_JVM,
    });
    await runJava(format, FORMAT_WITHIN_MS);
  });
}

/** Not `fetch`: a DataNode says "100 Continue" unasked, which that takes for an error. */
function askOverHttp(
  method: 'GET' | 'PUT',
  url: string,
  body: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { method, agent: false, signal }, (response) => {
      response.resume();
      const { statusCode = 0 } = response;
      if (statusCode < 400) resolve(response);
      else reject(new Error(`${method} ${url} was answered with ${statusCode}`));
    });
    asking.once('error', reject);
    asking.end(body);
  });
}

function webHdfs(ports: Ports, file: string, query: string): string {
  return `http://127.0.0.1:${ports['namenode-http']}/webhdfs/v1/${file}?${query}`;
}

/** WebHDFS: what is at the root. */
async function askNameNode(ports: Ports, signal: AbortSignal): Promise<void> {
  await askOverHttp('GET', webHdfs(ports, '', 'op=GETFILESTATUS'), '', signal);
}

/** WebHDFS: a file is written; the NameNode says to which DataNode. Refused in safe mode. */
async function askDataNode(ports: Ports, signal: AbortSignal): Promise<void> {
  const url = webHdfs(ports, ASKED_FILE, 'op=CREATE&overwrite=true&user.name=quanren');
  const told = await askOverHttp('PUT', url, '', signal);
  await askOverHttp('PUT', told.headers.location ?? '', `${new Date().toISOString()}\n`, signal);
}

export function hdfsServers(site: Site): ServerRecipe[] {
  const recipe = (name: string, mainClass: string, ask: typeof askNameNode): ServerRecipe => {
    const logFile = path.join(site.folder, 'logs', `${name}.log`);
    const program = { mainClass, args: [], logFile, heapMib: HEAP_MIB, flags: QUICK_JVM };
    return {
      name,
      logFile,
      launch: () => launchJava(hbaseProgram(site, program)),
      ask: (signal) => ask(site.ports, signal),
      answersWithinMs: ANSWERS_WITHIN_MS,
      stopSignal: 'SIGTERM',
      stopsWithinMs: STOPS_WITHIN_MS,
    };
  };
  return [recipe('namenode', NAMENODE, askNameNode), recipe('datanode', DATANODE, askDataNode)];
}
