/** `quanren start`: comes up, serves what changes, outlives the death of its parts, stops, and starts again. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { workersFor } from '../support/workers.js';
import { type Command, Quanren, until } from './quanren-process.js';

const WORKERS = workersFor(2);
/** With two workers, so many connections miss one of them once in 2^31 tries. */
const CONNECTIONS = 32;
const SEEN_WITHIN_MS = 1_000;
const RECOVERED_WITHIN_MS = 20_000;
const STOPPED_WITHIN_MS = 20_000;
const DT = '1998-06-30';
const CROWD = 'big_spenders_30d';
const UID = '00095';
const BIG_SPENDERS = { tag_code: 'total_spent_30d', op: '>=', value: 100 };
/** 00095 is not among them, and most users are. */
const SMALL_SPENDERS = { tag_code: 'total_spent_30d', op: '<', value: 100 };

const quanren = await Quanren.create(WORKERS);
let running: Command;
after(() => quanren.remove());

const askMany = (query: string) =>
  Promise.all(Array.from({ length: CONNECTIONS }, () => quanren.match(query)));

/** Asks for a new user on both sides until each worker has it in its cache. */
async function warm(query: string, isRight: (answer: Record<string, unknown>) => boolean): Promise<void> {
  const before = await quanren.cachedUsers();
  assert.equal(before.size, WORKERS);
  await until('every worker has the user cached', async () => {
    assert.ok((await askMany(query)).every(isRight));
    const now = await quanren.cachedUsers();
    return [...before].every(([worker, count]) => (now.get(worker) ?? 0) > count) ? true : undefined;
  });
}

/** From `since` on, until every one of many fresh connections gives the answer; it must not take a second. */
async function assertSeen(
  query: string,
  since: number,
  isRight: (answer: Record<string, unknown>) => boolean,
): Promise<void> {
  let answers: Record<string, unknown>[] = [];
  do answers = await askMany(query);
  while (!answers.every(isRight) && performance.now() - since < SEEN_WITHIN_MS);
  assert.ok(answers.every(isRight), JSON.stringify(answers));
  assert.ok((await askMany(query)).every(isRight), 'and it stays so');
}

/** Returns the new version. */
async function putRule(rule: object): Promise<number> {
  const { etag } = await quanren.ask(`/crowds/${CROWD}`);
  const body = { crowdName: 'Big spenders', rule };
  const { status, json } = await quanren.put(`/crowds/${CROWD}`, body, { 'if-match': etag ?? '' });
  assert.equal(status, 200, JSON.stringify(json));
  return json.version as number;
}

async function requestRun(): Promise<number> {
  const { status, json } = await quanren.post(`/crowds/${CROWD}/runs`, { dt: DT });
  assert.equal(status, 202, JSON.stringify(json));
  return json.runId as number;
}

function runCommitted(runId: number): Promise<Record<string, unknown>> {
  return until('the run is committed', async () => {
    const { json } = await quanren.ask(`/runs/${runId}`);
    return json.status === 'committed' ? json : undefined;
  });
}

const isMember = (answer: Record<string, unknown>) => answer.isMatch === true && answer.status === 'fresh';
const isNoMember = (answer: Record<string, unknown>) =>
  answer.reason === 'not_member' && answer.status === 'fresh';

const TOGETHER = { timeout: 60_000 };

test('a first start comes up, and what it says to try answers rightly', TOGETHER, async () => {
  running = await quanren.start();
  assert.match(running.stdout, /Match gateway: authentication and TLS are off/);
  const urls = Array.from(running.stdout.matchAll(/curl '([^']+)'/g), ([, url = '']) => url);
  assert.equal(urls.length, 4);
  const [list, one, crowd, explain] = await Promise.all(urls.map((url) => quanren.ask(url)));
  assert.deepEqual(list?.json, {
    uid: UID,
    userCrowds: [
      'big_spenders_30d',
      'city_unknown_actives',
      'premium_users',
      'recent_buyers',
      'regulars_without_bulk',
    ],
    status: 'fresh',
  });
  assert.deepEqual(one?.json, {
    uid: '00020',
    crowdCode: 'lapsed_premium_users',
    isMatch: true,
    status: 'fresh',
  });
  assert.deepEqual(
    [crowd?.etag, crowd?.json.userCount, crowd?.json.lastCalcDt, crowd?.json.rule],
    ['"1"', 142, DT, BIG_SPENDERS],
  );
  assert.deepEqual([explain?.json.isMatch, explain?.json.dt], [false, DT]);
  const { children } = (explain?.json.explanation ?? {}) as { children: Record<string, unknown>[] };
  assert.deepEqual(
    children.map(({ truth, decisive, raw }) => ({ truth, decisive, raw })),
    [
      { truth: true, decisive: false, raw: undefined },
      { truth: false, decisive: true, raw: '1998-06-24' },
    ],
  );
});

test('an edited rule is seen by every worker within a second of its run', TOGETHER, async () => {
  const small = await quanren.post('/rules/preview', { rule: SMALL_SPENDERS, sampleSize: 1 });
  const big = await quanren.post('/rules/preview', { rule: BIG_SPENDERS });
  const [newcomer] = small.json.sampleUids as string[];
  const leaver = (big.json.sampleUids as string[]).find((uid) => uid !== UID);
  const [leaving, entering] = [leaver, newcomer].map((uid) => `uid=${uid}&crowdCode=${CROWD}`) as [
    string,
    string,
  ];
  await warm(entering, isNoMember);
  await warm(leaving, isMember);

  const unmatched = await quanren.put(
    `/crowds/${CROWD}`,
    { crowdName: 'x', rule: SMALL_SPENDERS },
    { 'if-match': '"7"' },
  );
  assert.equal(unmatched.status, 412);

  // So few that each is told by itself.
  assert.equal(await putRule({ ...BIG_SPENDERS, value: 1_000_000 }), 2);
  const gone = await runCommitted(await requestRun());
  const goneAt = performance.now();
  assert.deepEqual(gone.counts, { entered: 0, left: 142, total: 0 });
  await assertSeen(leaving, goneAt, isNoMember);
  assert.ok((await askMany(entering)).every(isNoMember));

  // Nearly all users: the crowd as a whole is told.
  assert.equal(await putRule(SMALL_SPENDERS), 3);
  const many = await runCommitted(await requestRun());
  const manyAt = performance.now();
  assert.deepEqual(many.counts, {
    entered: small.json.userCount,
    left: 0,
    total: small.json.userCount,
  });
  await assertSeen(entering, manyAt, isMember);
  assert.ok((await askMany(leaving)).every(isNoMember));
});

test('a pause, and its end, are seen by every worker within a second', TOGETHER, async () => {
  const query = 'uid=00020&crowdCode=lapsed_premium_users';
  assert.ok((await askMany(query)).every(isMember));
  assert.equal((await quanren.post('/crowds/lapsed_premium_users/pause')).json.status, 'paused');
  await assertSeen(query, performance.now(), ({ isMatch, reason }) => !isMatch && reason === 'paused_crowd');
  assert.equal((await quanren.post('/crowds/lapsed_premium_users/resume')).json.status, 'active');
  await assertSeen(query, performance.now(), isMember);
});

const PARTS = [
  { name: 'the gateway', part: 'gateway/main.js' },
  { name: 'a worker of the gateway', part: 'gateway/worker.js' },
  { name: 'the platform', part: 'platform/main.js' },
  { name: 'Postgres', part: `-D ${path.join(quanren.folder, 'postgres', 'data')}` },
] as const;

for (const [index, { name, part }] of PARTS.entries()) {
  test(`${name} is killed: it is started again, and nothing acknowledged is lost`, TOGETHER, async () => {
    // Each time the other rule, so that the membership that must survive is a new one.
    const isBig = index % 2 === 0;
    const rule = isBig ? BIG_SPENDERS : SMALL_SPENDERS;
    const version = await putRule(rule);
    const { counts } = await runCommitted(await requestRun());
    const promised = part.startsWith('platform') ? await requestRun() : undefined;
    const before = quanren.pidsOf(part);
    const [victim = 0] = before;
    assert.notEqual(victim, 0);
    process.kill(victim, 'SIGKILL');
    await until(
      'another in its place',
      async () => {
        const now = quanren.pidsOf(part);
        return now.length === before.length && !now.includes(victim) ? true : undefined;
      },
      RECOVERED_WITHIN_MS,
    );
    const query = `uid=${UID}&crowdCode=${CROWD}`;
    await until(
      'the gateway answers rightly',
      async () => ((await askMany(query)).every(isBig ? isMember : isNoMember) ? true : undefined),
      RECOVERED_WITHIN_MS,
    );
    const crowd = await until(
      'the catalog answers',
      async () => {
        const { status, json } = await quanren.ask(`/crowds/${CROWD}`);
        return status === 200 ? json : undefined;
      },
      RECOVERED_WITHIN_MS,
    );
    assert.deepEqual(
      [crowd.version, crowd.rule, crowd.userCount],
      [version, rule, (counts as { total: number }).total],
    );
    if (promised !== undefined) await runCommitted(promised);
    assert.equal(running.child.exitCode, null);
  });
}

test('a command goes to the running platform', TOGETHER, async () => {
  const { preview, run } = await previewAndRun();
  assert.doesNotMatch(preview.stderr + run.stderr, /Starting Postgres/);
});

/** Both commands; what they say must not depend on whether the platform runs. */
async function previewAndRun() {
  const file = path.join(quanren.folder, 'rule.json');
  writeFileSync(file, JSON.stringify(BIG_SPENDERS));
  const preview = await quanren.command(['crowd', 'preview', file]).end();
  assert.equal(preview.code, 0, preview.stderr);
  assert.match(preview.stdout, /^142 users on 1998-06-30\n(\d{5}\n){10}$/);
  const run = await quanren.command(['crowd', 'run', 'premium_users', '--dt', DT, '--json']).end();
  assert.equal(run.code, 0, run.stderr);
  const [ran, ...others] = JSON.parse(run.stdout) as Record<string, unknown>[];
  assert.deepEqual([ran?.crowdCode, ran?.dt, ran?.status, others], ['premium_users', DT, 'committed', []]);
  return { preview, run, runId: ran?.runId as number };
}

test('SIGINT stops everything; a command then starts a platform for itself', TOGETHER, async () => {
  running.child.kill('SIGINT');
  // As npm does, which passes on what the terminal has sent already.
  await sleep(50);
  running.child.kill('SIGINT');
  const { code, stdout } = await running.end(STOPPED_WITHIN_MS);
  assert.equal(code, 0, stdout);
  assert.match(stdout, /Stopped\.\n$/);
  assert.deepEqual([...quanren.processes().values()], []);

  const { preview, run } = await previewAndRun();
  for (const { stderr } of [preview, run]) assert.match(stderr, /Starting Postgres/);
  assert.deepEqual([...quanren.processes().values()], []);
});

test('a port in use: exit code 3 and its setting, and nothing is left', TOGETHER, async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? String(address.port) : '';
  const { code, stderr } = await quanren.command(['start'], { QUANREN_GATEWAY_PORT: port }).end();
  taken.close();
  assert.equal(code, 3, stderr);
  assert.match(stderr, new RegExp(`\\b${port}\\b.*QUANREN_GATEWAY_PORT=`));
  assert.deepEqual([...quanren.processes().values()], []);
});

test('two servers on one port: told before anything starts, with both settings', TOGETHER, async () => {
  const { code, stderr } = await quanren
    .command(['start'], {
      QUANREN_GATEWAY_PORT: '8080',
      QUANREN_PLATFORM_PORT: '8080',
    })
    .end();
  assert.equal(code, 3, stderr);
  assert.match(stderr, /QUANREN_GATEWAY_PORT and QUANREN_PLATFORM_PORT are both 8080/);
});

test('a later start installs, builds and loads nothing, and has the old state', TOGETHER, async () => {
  running = await quanren.start();
  const said = running.stdout + running.stderr;
  assert.doesNotMatch(said, /Installing|Compiling|migrations|Loading|Computing/);
  const again = await quanren.command(['start']).end();
  assert.equal(again.code, 3);
  assert.match(again.stderr, /Another Quanren \(process \d+\) holds .* QUANREN_DATA_DIR/);
  await assertState();
});

/** As the last of the kills left it: SMALL_SPENDERS. */
async function assertState(): Promise<void> {
  const { json } = await quanren.ask(`/crowds/${CROWD}`);
  assert.deepEqual([json.version, json.rule], [3 + PARTS.length, SMALL_SPENDERS]);
  assert.ok((await askMany(`uid=${UID}&crowdCode=${CROWD}`)).every(isNoMember));
  assert.ok((await askMany('uid=00020&crowdCode=lapsed_premium_users')).every(isMember));
}

test('the parent is killed: its children end by themselves, and the next start works', TOGETHER, async () => {
  running.child.kill('SIGKILL');
  await running.ended;
  await nothingIsLeft();

  // In the middle of a start, too: a child that is still being loaded hears of it.
  const unready = quanren.command(['start']);
  await until('the platform begins', async () => quanren.pidsOf('platform/main.js')[0]);
  unready.child.kill('SIGKILL');
  await unready.ended;
  await nothingIsLeft();

  running = await quanren.start();
  await assertState();
  running.child.kill('SIGTERM');
  assert.equal((await running.end(STOPPED_WITHIN_MS)).code, 0);
});

function nothingIsLeft(): Promise<true> {
  return until(
    'no process is left',
    async () => (quanren.processes().size === 0 ? true : undefined),
    STOPPED_WITHIN_MS,
  );
}
