/** HBase with two region servers over HDFS: six JVMs, each of which can be killed alone. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { findEngine } from '../../../engines/start-engine.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';

const SERVERS = ['namenode', 'datanode', 'zookeeper', 'master', 'regionserver-1', 'regionserver-2'];
const MOST_MEMORY_BYTES = 4 * 2 ** 30;

describe('HBase with two region servers', () => {
  let hbase: TestEngine;

  before(async () => {
    hbase = await startTestEngine('hbase', { regionServers: 2 });
  });
  after(() => hbase.remove());

  const allBut = (other: Readonly<Record<string, string>>) =>
    SERVERS.map((name) => [name, other[name] ?? 'answers']);

  it('answers in every server, within the memory that it may use', async () => {
    assert.deepEqual([...(await hbase.engine.status())], allBut({}));
    const rssBytes = hbase.engine.processes.reduce((sum, each) => sum + each.rssBytes, 0);
    assert(rssBytes > 0 && rssBytes < MOST_MEMORY_BYTES, `${rssBytes} bytes`);
  });

  it('is found as the cluster that it is', () => {
    const { folder } = hbase.engine;
    const found = findEngine('hbase', { folder, cacheFolder: folder });
    assert.deepEqual(found.addresses, hbase.engine.addresses);
    assert.throws(
      () => findEngine('hbase', { folder, cacheFolder: folder, regionServers: 3 }),
      /holds the data of hbase \(a cluster with 2 region servers\), which hbase \(a cluster with 3 region servers\) cannot/,
    );
  });

  it('names a region server that was killed, and brings it back on its port', async () => {
    const { engine } = hbase;
    const { ports } = engine;
    await engine.process('regionserver-2').kill();
    const dead = { 'regionserver-2': 'dead' };
    assert.deepEqual([...(await engine.status())], allBut(dead));
    assert.deepEqual(await engine.start(), ['regionserver-2']);
    assert.deepEqual(engine.ports, ports);
    assert.deepEqual([...(await engine.status())], allBut({}));
  });
});
