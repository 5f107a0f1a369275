/** A real HBase for tests, and clients of it. */
import { type Address, parseAddresses } from '../../config/addresses.js';
import type { Engine, EngineChoices } from '../../engines/engine.js';
import { HBaseClient, type HBaseClientOptions } from '../../stores/hbase/client/hbase-client.js';
import { startTestEngine } from './engines.js';

export interface TestHBase {
  readonly engine: Engine;
  readonly nodes: readonly Address[];
  /** `host:port` */
  readonly zookeeper: string;
  connect(options?: Omit<HBaseClientOptions, 'nodes'>): HBaseClient;
  remove(): Promise<void>;
}

/** All in one JVM, or with so many region servers as a cluster that loses nothing when it is killed. */
export async function startTestHBase(choices: EngineChoices = {}): Promise<TestHBase> {
  const { engine, remove } = await startTestEngine('hbase', choices);
  const nodes = parseAddresses('The address of HBase', engine.addresses.bootstrap ?? '');
  return {
    engine,
    nodes,
    zookeeper: engine.addresses.zookeeper ?? '',
    connect: (options = {}) => new HBaseClient({ ...options, nodes }),
    remove,
  };
}
