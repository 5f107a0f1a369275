/** A real HBase for tests, and clients of it. */
import path from 'node:path';
import { type Address, parseAddresses } from '../../config/addresses.js';
import { loadSettings } from '../../config/settings.js';
import type { Engine, EngineChoices } from '../../engines/engine.js';
import { hbaseProgram } from '../../engines/hbase/server.js';
import { launchJava, QUICK_JVM } from '../../engines/jvm.js';
import { reservePorts } from '../../engines/ports.js';
import { HBaseClient, type HBaseClientOptions } from '../../stores/hbase/client/hbase-client.js';
import { startTestEngine } from './engines.js';
import { until } from './until.js';

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

/** Beside the master of a cluster another one, which takes its place when that is gone. */
export async function startSecondMaster({ engine }: TestHBase): Promise<{ port: number; kill(): void }> {
  const { folder, ports } = engine;
  const reserved = await reservePorts(['master'], {}, {});
  const { master: port = 0 } = reserved.ports;
  const cacheFolder = loadSettings(process.env)['engines.cacheDir'];
  const pid = launchJava(
    hbaseProgram(
      { folder, ports, cacheFolder, onProgress: () => undefined },
      {
        mainClass: 'org.apache.hadoop.hbase.master.HMaster',
        args: ['-D', `hbase.master.port=${port}`, 'start'],
        logFile: path.join(folder, 'logs', 'second-master.log'),
        heapMib: 256,
        flags: QUICK_JVM,
      },
    ),
  );
  let isKilled = false;
  const kill = () => {
    if (!isKilled) process.kill(pid, 'SIGKILL');
    isKilled = true;
    process.off('exit', kill);
  };
  process.once('exit', kill);
  const asking = new HBaseClient({ nodes: [{ host: '127.0.0.1', port }] });
  try {
    await until(
      'The second master answers',
      () => asking.registry.findMaster().catch(() => undefined),
      60_000,
    );
  } catch (error) {
    kill();
    throw error;
  } finally {
    asking.close();
    reserved.release();
  }
  return { port, kill };
}
