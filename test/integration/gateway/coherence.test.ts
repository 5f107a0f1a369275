/** What changes is seen, in every worker; and what is not known is said not to be. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.js';
import { DataFolder, GatewayProcess } from './gateway-process.js';

const folders: DataFolder[] = [];
const gateways: GatewayProcess[] = [];
after(async () => {
  for (const gateway of gateways) await gateway.stop();
  for (const folder of folders) await folder.remove();
});

async function startWorld(environment: Record<string, string> = {}) {
  const data = new DataFolder();
  folders.push(data);
  await data.setCrowd('vip', 'active');
  await data.setCrowd('old', 'active');
  data.startBeats();
  const gateway = await (await GatewayProcess.start(data, environment)).ready();
  gateways.push(gateway);
  return { data, gateway };
}

/** Answers over many connections, so that every worker gives some. */
async function everyAnswer(gateway: GatewayProcess, target: string): Promise<Set<string>> {
  const texts = await Promise.all(
    Array.from({ length: 24 }, async () =>
      (await gateway.get(target, { headers: { connection: 'close' } })).text(),
    ),
  );
  return new Set(texts);
}

test('a change is the next answer of every worker, within a second', async () => {
  const { data, gateway } = await startWorld();
  const target = '/match?uid=u1';
  const expected = (codes: string[]) => JSON.stringify({ uid: 'u1', userCrowds: codes, status: 'fresh' });
  assert.deepEqual(await everyAnswer(gateway, target), new Set([expected([])]));
  let inIt = false;
  for (let i = 0; i < 10; i++) {
    inIt = !inIt;
    await data.change('u1', 'vip', inIt ? 'enter' : 'leave');
    const changedAt = Date.now();
    await until(
      'the change in every worker',
      async () => {
        const answers = await everyAnswer(gateway, target);
        return answers.size === 1 && answers.has(expected(inIt ? ['vip'] : []));
      },
      1_000,
    );
    assert.ok(Date.now() - changedAt < 1_000);
  }
});

test('crowd-refreshed, pausing, resuming and deleting a crowd reach every worker', async () => {
  const { data, gateway } = await startWorld();
  await data.memberships.apply(
    ['vip', 'old'].map((crowdCode) => ({
      uid: 'u2',
      crowdCode,
      kind: 'enter' as const,
      changeTimeMs: 1_000 + Date.now() - 5_000,
    })),
    Date.now(),
  );
  const becomes = (codes: string[]) =>
    until(`crowds ${codes}`, async () => {
      const answers = await everyAnswer(gateway, '/match?uid=u2');
      return answers.size === 1 &&
        answers.has(JSON.stringify({ uid: 'u2', userCrowds: codes, status: 'fresh' }))
        ? true
        : undefined;
    });
  await becomes(['old', 'vip']);
  // A load that tells of itself with one message.
  await data.memberships.apply(
    [{ uid: 'u2', crowdCode: 'old', kind: 'leave', changeTimeMs: Date.now() }],
    Date.now(),
  );
  assert.deepEqual(
    await everyAnswer(gateway, '/match?uid=u2'),
    new Set([JSON.stringify({ uid: 'u2', userCrowds: ['old', 'vip'], status: 'fresh' })]),
  );
  await data.bus.publish('membership-changes', [
    { key: 'old', value: { type: 'crowd-refreshed', crowdCode: 'old', changeTimeMs: Date.now() } },
  ]);
  await becomes(['vip']);
  await data.setCrowd('vip', 'paused');
  await becomes([]);
  assert.equal((await gateway.json('/match?uid=u2&crowdCode=vip')).reason, 'paused_crowd');
  await data.setCrowd('vip', 'active');
  await becomes(['vip']);
  await data.bus.publish('crowd-rules', [{ key: 'vip', value: null }]);
  await becomes([]);
  assert.equal((await gateway.json('/match?uid=u2&crowdCode=vip')).reason, 'unknown_crowd');
});

test('when the stream is silent answers are stale since the last heartbeat, and fresh again after it', async () => {
  const { data, gateway } = await startWorld({ QUANREN_GATEWAY_STALE_AFTER_MS: '1000' });
  await data.change('u3', 'vip', 'enter');
  await data.tags.apply(
    [{ uid: 'u3', tagCode: 'rt_active_status', value: 'online', changeTimeMs: Date.now() }],
    Date.now(),
  );
  assert.equal((await gateway.json('/tags?uid=u3')).status, 'fresh');
  const ask = async (uid: string) => gateway.json(`/match?uid=${uid}`);
  await until('fresh', async () => (await ask('u3')).status === 'fresh');
  await data.stopBeats();
  const silentAt = Date.now();
  await sleep(1_300);
  const [cached, read] = [await ask('u3'), await ask('u4')];
  for (const answer of [cached, read]) {
    assert.equal(answer.status, 'stale');
    const asOf = Date.parse(String(answer.asOf));
    assert.ok(asOf <= silentAt && asOf > silentAt - 1_000, `asOf ${silentAt - asOf} ms before the silence`);
  }
  const one = await gateway.json('/match?uid=u3&crowdCode=vip');
  assert.equal(one.isMatch, true);
  assert.equal(one.status, 'stale');
  const { asOf, ...rest } = await gateway.json('/tags?uid=u3');
  assert.deepEqual(rest, { uid: 'u3', tags: { rt_active_status: 'online' }, status: 'stale' });
  assert.equal(asOf, one.asOf);
  data.startBeats();
  await until('fresh again', async () => (await ask('u3')).status === 'fresh');
  assert.equal((await gateway.json('/tags?uid=u3')).status, 'fresh');
});

test('a sender whose clock is ahead does not vouch for a stream that is silent afterwards', async () => {
  const { data, gateway } = await startWorld({ QUANREN_GATEWAY_STALE_AFTER_MS: '1000' });
  await data.stopBeats();
  const value = { type: 'heartbeat', sentAtMs: Date.now() + 3_600_000 };
  await data.bus.broadcast('membership-changes', { key: 'heartbeat', value });
  const untilMs = Date.now() + 1_500;
  // Changes come, but nobody says that none is missing.
  while (Date.now() < untilMs) {
    await data.change('u5', 'vip', 'enter');
    await sleep(50);
  }
  assert.equal((await gateway.json('/match?uid=u5')).status, 'stale');
});

test('changes, pauses and reads all at once: no answer is older than what was told', async () => {
  const { data, gateway } = await startWorld();
  const users = ['r0', 'r1', 'r2', 'r3'];
  /** Per user, the number of changes done (even: not in the crowd), and when the last ended (infinite: one is under way). */
  const done = new Map(users.map((uid) => [uid, { count: 0, lastAtMs: 0 }]));
  let isOver = false;
  const writer = (async () => {
    for (let i = 0; i < 150; i++) {
      const uid = users[i % users.length] ?? '';
      const state = done.get(uid);
      if (state === undefined) continue;
      state.lastAtMs = Number.POSITIVE_INFINITY;
      await data.change(uid, 'vip', state.count % 2 === 0 ? 'enter' : 'leave');
      state.count += 1;
      state.lastAtMs = Date.now();
      await sleep(5);
    }
    isOver = true;
  })();
  let asked = 0;
  const readers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      for (const uid of users) {
        const state = done.get(uid);
        if (state === undefined) continue;
        const [countBefore, changedAtMs, askedAtMs] = [state.count, state.lastAtMs, Date.now()];
        const { isMatch } = await gateway.json(`/match?uid=${uid}&crowdCode=vip`);
        asked += 1;
        // Only where nothing changed while we asked, and the last change had time to come through.
        if (state.lastAtMs !== changedAtMs || askedAtMs - changedAtMs < 500) continue;
        assert.equal(isMatch, countBefore % 2 === 1, `${uid} after ${countBefore} changes`);
      }
    }
  });
  await Promise.all([writer, ...readers]);
  assert.ok(asked > 500);
  await sleep(500);
  for (const uid of users) {
    const answers = await everyAnswer(gateway, `/match?uid=${uid}&crowdCode=vip`);
    assert.equal(answers.size, 1);
    assert.equal(
      (JSON.parse([...answers][0] ?? '') as { isMatch: boolean }).isMatch,
      (done.get(uid)?.count ?? 0) % 2 === 1,
    );
  }
});
