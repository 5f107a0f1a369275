/** A real HBase for tests, in a temporary folder, on free loopback ports. */
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Engine } from '../../engines/engine.js';
import type { HBaseOptions } from '../../engines/hbase/hbase.js';
import { startEngine } from '../../engines/start-engine.js';
import { HBaseClient, type HBaseClientOptions } from '../../stores/hbase/client/hbase-client.js';
import type { Address } from '../../stores/hbase/connection/rpc-connection.js';

export interface TestHBase {
  readonly engine: Engine;
  readonly nodes: readonly Address[];
  /** `host:port` */
  readonly zookeeper: string;
  connect(options?: Omit<HBaseClientOptions, 'nodes'>): HBaseClient;
  remove(): Promise<void>;
}

/** All in one JVM, or with so many region servers as a cluster that loses nothing when it is killed. */
export async function startTestHBase(options: HBaseOptions = {}): Promise<TestHBase> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quanren-hbase-'));
  const engine = await startEngine('hbase', {
    folder,
    cacheFolder: path.join(os.homedir(), '.cache', 'quanren', 'engines'),
    ...options,
  });
  const nodes = (engine.addresses.bootstrap ?? '').split(',').map((address) => {
    const [host = '', port] = address.split(':');
    return { host, port: Number(port) };
  });
  return {
    engine,
    nodes,
    zookeeper: engine.addresses.zookeeper ?? '',
    connect: (options = {}) => new HBaseClient({ ...options, nodes }),
    remove: async () => {
      await engine.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
