/** The product over a real HBase: runs write it, the gateway answers from it, and outlives its absence. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStores } from '../../stores/open-stores.js';
import { startTestHBase, type TestHBase } from '../support/hbase.js';
import { Quanren, until } from './quanren-process.js';

const WORKERS = 2;
/** With two workers, so many connections miss one of them once in 2^15 tries. */
const CONNECTIONS = 16;
const DT = '1998-06-30';
const CROWD = 'big_spenders_30d';
const MEMBERS = 142;
const MEMBER = '00095';
/** The gateway knows by then that HBase is away. */
const DETECTED_MS = 1_000;
/** Of a machine that is busy; on an idle one it is a few. */
const REFUSED_WITHIN_MS = 250;
const BACK_WITHIN_MS = 120_000;

describe('over HBase', { timeout: 420_000 }, () => {
  let hbase: TestHBase;
  let quanren: Quanren;
  let nextUid = 20_000;

  before(async () => {
    hbase = await startTestHBase();
    quanren = await Quanren.create(WORKERS);
    const nodes = hbase.nodes.map(({ host, port }) => `${host}:${port}`).join();
    await quanren.start({ QUANREN_HBASE_NODES: nodes });
  });
  after(async () => {
    await quanren?.remove();
    await hbase.remove();
  });

  const askMany = (query: string) =>
    Promise.all(Array.from({ length: CONNECTIONS }, () => quanren.match(query)));
  /** A user of the demo that no worker has met. */
  const newUid = () => String(nextUid++);

  async function members(): Promise<string[]> {
    const stores = openStores({ kind: 'hbase', nodes: hbase.nodes, user: 'test', tls: undefined });
    const uids: string[] = [];
    for await (const { uid } of stores.memberships.scanCrowd(CROWD)) uids.push(uid);
    await stores.close();
    return uids;
  }

  async function requestRun(minSpent: number): Promise<number> {
    const { etag } = await quanren.ask(`/crowds/${CROWD}`);
    const rule = { tag_code: 'total_spent_30d', op: '>=', value: minSpent };
    const saved = await quanren.put(
      `/crowds/${CROWD}`,
      { crowdName: 'Big spenders', rule },
      { 'if-match': etag ?? '' },
    );
    assert.equal(saved.status, 200, JSON.stringify(saved.json));
    const { status, json } = await quanren.post(`/crowds/${CROWD}/runs`, { dt: DT });
    assert.equal(status, 202, JSON.stringify(json));
    return json.runId as number;
  }

  function committed(runId: number, withinMs?: number): Promise<Record<string, unknown>> {
    return until(
      'the run is committed',
      async () => {
        const { json } = await quanren.ask(`/runs/${runId}`);
        assert.notEqual(json.status, 'failed', JSON.stringify(json));
        return json.status === 'committed' ? json : undefined;
      },
      withinMs,
    );
  }

  /** Every worker answers so, soon. */
  async function becomes(uid: string, isMatch: boolean): Promise<void> {
    await until(`${uid} is ${isMatch ? 'in' : 'out'}`, async () => {
      const answers = await askMany(`uid=${uid}&crowdCode=${CROWD}`);
      const areRight = answers.every((each) => each.isMatch === isMatch && each.status === 'fresh');
      return areRight ? true : undefined;
    });
  }

  async function awayServers(): Promise<number> {
    const text = await quanren.metrics();
    const series = [...text.matchAll(/^quanren_gateway_store_server_away\{.*\} (\d)$/gm)];
    assert.ok(series.length > 0, text);
    return series.filter(([, value]) => value === '1').length;
  }

  /** Of rows, whatever had befallen them. */
  async function retries(): Promise<number> {
    const text = await quanren.metrics();
    const series = [...text.matchAll(/^quanren_gateway_store_retries_total\{cause=".+"\} (\d+)$/gm)];
    return series.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Who is cached is answered as ever; who is not gets a 503 at once, and never a false. */
  async function assertDegraded(): Promise<void> {
    assert.ok((await askMany(`uid=${MEMBER}&crowdCode=${CROWD}`)).every((each) => each.status === 'fresh'));
    let slowestMs = 0;
    for (let i = 0; i < 50; i += 1) {
      const askedMs = performance.now();
      await assert.rejects(
        quanren.match(`uid=${newUid()}&crowdCode=${CROWD}`),
        /^Error: 503: .*"unavailable"/,
      );
      slowestMs = Math.max(slowestMs, performance.now() - askedMs);
    }
    assert.ok(slowestMs < REFUSED_WITHIN_MS, `a refusal took ${slowestMs} ms`);
    assert.ok((await awayServers()) > 0);
  }

  const comesBack = () =>
    until(
      'HBase is back for every worker',
      async () => {
        await Promise.all(Array.from({ length: CONNECTIONS }, () => quanren.match(`uid=${newUid()}`)));
        return (await awayServers()) === 0 ? true : undefined;
      },
      BACK_WITHIN_MS,
    );

  it('a run fills its table, and /match answers from it', async () => {
    assert.equal((await members()).length, MEMBERS);
    await becomes(MEMBER, true);
    await becomes('00001', false);
    assert.equal(existsSync(path.join(quanren.folder, 'store')), false, 'nothing is in the embedded store');
  });

  it('the next run writes the difference, and every worker answers anew', async () => {
    const run = await committed(await requestRun(300));
    assert.deepEqual(run.counts, { entered: 0, left: 123, total: 19 });
    assert.equal((await members()).length, 19);
    await becomes(MEMBER, false);
  });

  it('HBase stands still: a run waits for it, the cached are answered, and it goes on', async () => {
    const server = hbase.engine.process('hbase');
    await becomes(MEMBER, false);
    await server.pause();
    const runId = await requestRun(100);
    await Promise.allSettled(askManyNew());
    await sleep(DETECTED_MS);
    await assertDegraded();
    assert.notEqual((await quanren.ask(`/runs/${runId}`)).json.status, 'committed');
    await server.resume();
    await comesBack();
    await committed(runId, BACK_WITHIN_MS);
    assert.equal((await members()).length, MEMBERS);
    await becomes(MEMBER, true);
  });

  it('HBase is killed: the cached are answered, the others refused; it comes back by itself', async () => {
    await becomes(MEMBER, true);
    await hbase.engine.process('hbase').kill();
    await Promise.allSettled(askManyNew());
    await sleep(DETECTED_MS);
    await assertDegraded();
    await hbase.engine.start();
    await comesBack();
    assert.ok((await retries()) > 0, 'rows were asked for again, and none was counted');
    assert.equal((await members()).length, MEMBERS);
    await becomes('00001', false);
  });

  /** So that every worker notices. */
  function askManyNew(): Promise<unknown>[] {
    return Array.from({ length: CONNECTIONS }, () => quanren.match(`uid=${newUid()}`));
  }
});
