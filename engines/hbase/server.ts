/** What HBase's servers have in common, whether they share a JVM or not. */
import type { Ports } from '../engine.js';
import type { EngineFiles } from '../jars.js';
import type { Properties } from './configuration.js';

export const HBASE_FILES: EngineFiles = { engine: 'hbase', goal: 'copy-dependencies' };

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

export const HBASE_FLAGS: readonly string[] = [
  '-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true',
  '--add-modules=jdk.unsupported',
  '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
  '--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED',
  ...OPENED.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
];

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
