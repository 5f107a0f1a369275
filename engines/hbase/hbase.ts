import type { EngineRecipe } from '../engine.js';
import { hbaseCluster } from './cluster.js';
import { type StandaloneHBaseOptions, standaloneHBase } from './standalone.js';

export interface HBaseOptions extends StandaloneHBaseOptions {
  /** Given: a cluster over HDFS with so many region servers, each process a JVM. Not given: all in one JVM. */
  readonly regionServers?: number;
}

export function hbase({ regionServers, ...options }: HBaseOptions): EngineRecipe {
  return regionServers === undefined ? standaloneHBase(options) : hbaseCluster({ ...options, regionServers });
}
