/** HBase's own client, in a JVM: what it says of the same servers. Needs a JDK, since it is run from its source. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { loadSettings } from '../../config/settings.js';
import { hbaseClassPath } from '../../engines/hbase/server.js';

const SOURCE = path.resolve(import.meta.dirname, '..', '..', '..', 'test', 'support', 'HBasePeer.java');
const WITHIN_MS = 120_000;
const MAX_OUTPUT_BYTES = 256 * 2 ** 20;

/** What it prints; HBasePeer.java says what it can be told. Rejects when it fails. The jars must have been fetched. */
export async function runJavaPeer(args: readonly string[]): Promise<string> {
  const classPath = hbaseClassPath(loadSettings(process.env)['engines.cacheDir']);
  const { stdout } = await promisify(execFile)('java', ['-cp', classPath, SOURCE, ...args], {
    timeout: WITHIN_MS,
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  return stdout;
}
