/** The product over a real Kafka: what is changed reaches every worker, and is caught up with when Kafka was away. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startTestEngine, type TestEngine } from '../support/engines.js';
import { type Command, Quanren, until } from './quanren-process.js';

const WORKERS = 2;
/** With two workers, so many connections miss one of them once in 2^15 tries. */
const CONNECTIONS = 16;
const DT = '1998-06-30';
const CROWD = 'big_spenders_30d';
const MEMBER = '00095';
const SEEN_WITHIN_MS = 1_000;
/** From the moment when Kafka answers again. */
const BACK_WITHIN_MS = 10_000;
const STOPPED_WITHIN_MS = 30_000;

describe('over Kafka', { timeout: 300_000 }, () => {
  let kafka: TestEngine;
  let quanren: Quanren;
  let running: Command;

  const start = () =>
    quanren.start({
      QUANREN_KAFKA_BROKERS: kafka.engine.addresses.kafka ?? '',
      QUANREN_KAFKA_PREFIX: 'e2e.',
    });
  before(async () => {
    kafka = await startTestEngine('kafka');
    quanren = await Quanren.create(WORKERS);
    running = await start();
  });
  after(async () => {
    await quanren.remove();
    await kafka.remove();
  });

  const query = `uid=${MEMBER}&crowdCode=${CROWD}`;
  const askMany = () => Promise.all(Array.from({ length: CONNECTIONS }, () => quanren.match(query)));

  /** The rule that makes members of those who spent so much; MEMBER is one at 100, and none at 300. */
  async function putRule(minSpent: number): Promise<void> {
    const { etag } = await quanren.ask(`/crowds/${CROWD}`);
    const rule = { tag_code: 'total_spent_30d', op: '>=', value: minSpent };
    const body = { crowdName: 'Big spenders', rule };
    const { status, json } = await quanren.put(`/crowds/${CROWD}`, body, { 'if-match': etag ?? '' });
    assert.equal(status, 200, JSON.stringify(json));
  }

  async function requestRun(): Promise<number> {
    const { status, json } = await quanren.post(`/crowds/${CROWD}/runs`, { dt: DT });
    assert.equal(status, 202, JSON.stringify(json));
    return json.runId as number;
  }

  const committed = (runId: number) =>
    until('the run is committed', async () => {
      const { json } = await quanren.ask(`/runs/${runId}`);
      assert.notEqual(json.status, 'failed', JSON.stringify(json));
      return json.status === 'committed' ? true : undefined;
    });

  /** Every worker says so, and that it is sure. */
  async function becomes(what: string, withinMs: number, expected: Record<string, unknown>): Promise<void> {
    await until(
      what,
      async () => {
        const answers = await askMany();
        const areRight = answers.every((answer) =>
          Object.entries({ ...expected, status: 'fresh' }).every(([name, value]) => answer[name] === value),
        );
        return areRight ? true : undefined;
      },
      withinMs,
    );
  }

  it('comes up, and nothing is in the embedded bus', async () => {
    await becomes('a member', BACK_WITHIN_MS, { isMatch: true });
    assert.equal(existsSync(path.join(quanren.folder, 'bus')), false);
  });

  it('an edited rule changes the answer of every worker within a second of its run', async () => {
    await putRule(300);
    await committed(await requestRun());
    await becomes('no member', SEEN_WITHIN_MS, { isMatch: false, reason: 'not_member' });
    await putRule(100);
    await committed(await requestRun());
    await becomes('a member again', SEEN_WITHIN_MS, { isMatch: true });
  });

  it('a pause, and its end, are seen by every worker within a second', async () => {
    await quanren.post(`/crowds/${CROWD}/pause`);
    await becomes('paused', SEEN_WITHIN_MS, { isMatch: false, reason: 'paused_crowd' });
    await quanren.post(`/crowds/${CROWD}/resume`);
    await becomes('active', SEEN_WITHIN_MS, { isMatch: true });
  });

  it('Kafka is killed: answers are stale, changes wait, and no old answer is ever called fresh again', async (t) => {
    await kafka.engine.process('kafka').kill();
    await until('every worker says that it is not sure', async () =>
      (await askMany()).every(({ status, asOf }) => status === 'stale' && typeof asOf === 'string')
        ? true
        : undefined,
    );
    const rule = { tag_code: 'total_spent_30d', op: '>=', value: 100 };
    const members = (await quanren.post('/rules/preview', { rule })).json.sampleUids as string[];
    await putRule(300);
    const runId = await requestRun();
    await sleep(3_000);
    // Those whom no worker knows are read from the store: the run has written it, and waits to tell.
    const unknown = await Promise.all(members.map((uid) => quanren.match(`uid=${uid}&crowdCode=${CROWD}`)));
    assert.ok(unknown.some(({ isMatch, status }) => isMatch === false && status === 'stale'));
    assert.notEqual((await quanren.ask(`/runs/${runId}`)).json.status, 'committed');

    await kafka.engine.start();
    const backAt = performance.now();
    for (;;) {
      const answers = await askMany();
      const wrong = answers.filter(({ isMatch, status }) => isMatch === true && status === 'fresh');
      assert.deepEqual(wrong, []);
      if (answers.every(({ isMatch, status }) => isMatch === false && status === 'fresh')) break;
      assert.ok(performance.now() - backAt < BACK_WITHIN_MS, JSON.stringify(answers));
    }
    t.diagnostic(
      `every worker is right and sure ${Math.round(performance.now() - backAt)} ms after Kafka is back`,
    );
    await committed(runId);

    await quanren.post(`/crowds/${CROWD}/pause`);
    await becomes('paused', BACK_WITHIN_MS, { reason: 'paused_crowd' });
    await quanren.post(`/crowds/${CROWD}/resume`);
    await putRule(100);
    await committed(await requestRun());
    await becomes('a member again', SEEN_WITHIN_MS, { isMatch: true });
  });

  it('starts while Kafka is away, answers nothing that it does not know, and is right once Kafka is there', async (t) => {
    running.child.kill('SIGINT');
    assert.equal((await running.end(STOPPED_WITHIN_MS)).code, 0);
    await kafka.engine.process('kafka').kill();
    const logFile = path.join(quanren.folder, 'logs', 'gateway.log');
    const linesBefore = readLines(logFile).length;
    running = await start();
    assert.match(
      running.stdout,
      /^Quanren is up, but not all that it needs:\n\n {2}The stream of changes: cannot be followed: Kafka: .*ECONNREFUSED.*\n/m,
    );
    assert.match(running.stdout, /^ {2}stands on {6}store embedded, bus Kafka \(.*\), shared cache none$/m);
    await assert.rejects(quanren.match(query), /^Error: 503: /);
    // The catalog takes changes all the same; the next one to be told of is this.
    assert.equal((await quanren.post(`/crowds/${CROWD}/pause`)).json.status, 'paused');

    await kafka.engine.start();
    const backAt = performance.now();
    await becomes('paused', BACK_WITHIN_MS, { isMatch: false, reason: 'paused_crowd' });
    t.diagnostic(
      `every worker is right and sure ${Math.round(performance.now() - backAt)} ms after Kafka is there`,
    );
    await quanren.post(`/crowds/${CROWD}/resume`);
    await becomes('active', SEEN_WITHIN_MS, { isMatch: true });
    await until('the log says that it is well again', () => {
      const lines = readLines(logFile).slice(linesBefore);
      return Promise.resolve(lines.some((line) => line.includes('changes: well again')) ? true : undefined);
    });
    const lines = readLines(logFile).slice(linesBefore);
    assert.ok(lines.filter((line) => line.includes('The stream of changes')).length <= 5, lines.join('\n'));
    assert.ok(!lines.some((line) => line.includes('"stack"')), lines.join('\n'));
  });

  const readLines = (file: string) => readFileSync(file, 'utf8').trim().split('\n');
});
