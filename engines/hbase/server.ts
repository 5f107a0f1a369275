/** What HBase's servers have in common, whether they share a JVM or not. */
import path from 'node:path';
import type { Ports, Site } from '../engine.js';
import { type EngineFiles, engineFilesFolder, fetchEngineFiles } from '../jars.js';
import type { JavaProgram } from '../jvm.js';
import type { Properties } from '../properties.js';
import { requireJava } from '../tools.js';

const FILES: EngineFiles = { engine: 'hbase', goal: 'copy-dependencies' };

/** What bin/hbase of HBase 2.6 gives to Java 11 and later. */
const OPENED = [
  'java.nio',
  'sun.nio.ch',
  'java.lang',
  'jdk.internal.ref',
  'java.lang.reflect',
  'java.util',
  'java.util.concurrent',
  'jdk.internal.util.random',
];

const FLAGS: readonly string[] = [
  '-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true',
  '--add-modules=jdk.unsupported',
  '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
  '--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED',
  ...OPENED.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
];

/** Where the servers find their settings. */
export function configurationFolder({ folder }: Site): string {
  return path.join(folder, 'conf');
}

/** All jars of HBase, its client's among them, once they are fetched. */
export function hbaseClassPath(cacheFolder: string): string {
  return path.join(engineFilesFolder(FILES, cacheFolder), '*');
}

/** A program of HBase, Hadoop or ZooKeeper; its flags are added to what all of them need. */
export function hbaseProgram(
  site: Site,
  program: Pick<JavaProgram, 'mainClass' | 'args' | 'logFile' | 'heapMib' | 'flags'>,
): JavaProgram {
  return {
    ...program,
    folder: site.folder,
    classPath: [configurationFolder(site), hbaseClassPath(site.cacheFolder)],
    flags: [...FLAGS, ...(program.flags ?? [])],
  };
}

/** What each of these programs needs on the machine. */
export async function provideHBase({ cacheFolder, onProgress }: Site): Promise<void> {
  requireJava('HBase');
  await fetchEngineFiles(FILES, cacheFolder, onProgress);
}

/** Loopback only, no web pages, and none of the waits that are meant for a cluster whose servers come up in minutes. */
export function commonProperties(ports: Ports): Properties {
  return {
    'hbase.master.hostname': '127.0.0.1',
    'hbase.unsafe.regionserver.hostname': '127.0.0.1',
    'hbase.master.ipc.address': '127.0.0.1',
    'hbase.regionserver.ipc.address': '127.0.0.1',
    'hbase.master.info.port': '-1',
    'hbase.regionserver.info.port': '-1',
    'hbase.master.port': `${ports.master}`,
    'hbase.zookeeper.quorum': '127.0.0.1',
    'hbase.zookeeper.property.clientPort': `${ports.zookeeper}`,
    'hbase.master.wait.on.regionservers.interval': '100',
    'hbase.master.wait.on.regionservers.timeout': '500',
    'hbase.regionserver.msginterval': '500',
  };
}
