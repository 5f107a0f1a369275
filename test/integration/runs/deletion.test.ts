/** A deleted crowd: its members leave the store, are told of, and are not in a new crowd of its code. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startOutboxRelay } from '../../../catalog/outbox-relay.js';
import type { CrowdRun } from '../../../catalog/types.js';
import { startHeartbeat } from '../../../events/heartbeat.js';
import type { TopicName } from '../../../events/topics.js';
import { listMembershipFiles } from '../../../platform/runs/membership-file.js';
import { LATENESS_BOUND_MS } from '../../../stores/membership-store.js';
import { crowdDefinition, TEST_ZONE } from '../../support/catalog.js';
import {
  openRunPlatform,
  type Place,
  RunPlaces,
  type RunPlatform,
  readMembershipMessages,
  referenceMembers,
  registerDemo,
  runCrowds,
  storeMembers,
  tableMembers,
} from '../../support/run-platform.js';
import { until } from '../../support/until.js';
import { GatewayProcess } from '../gateway/gateway-process.js';

const NEWER = '2026-01-31';
const OLDER = '2026-01-30';
const OLD_RULE = { tag_code: 'age', op: '>', value: 40 };
/** Some who were in, and some who were not. */
const NEW_RULE = { tag_code: 'age', op: 'NOT BETWEEN', value: [41, 60] };
const BY = { principal: 'test', expected: 1 };

let places: RunPlaces;

before(async () => {
  places = await RunPlaces.open();
});
after(() => places.remove());

/** A platform whose crowds `doomed` and `kept` have been computed over synthetic users. */
async function withComputed(
  options: { readonly users?: number; readonly onStep?: (step: string) => void },
  use: (platform: RunPlatform, place: Place) => Promise<void>,
): Promise<void> {
  const { users = 500, onStep = () => undefined } = options;
  await places.withPlatform({ onStep }, async (platform, place) => {
    await registerDemo(platform, []);
    await platform.warehouse.generateUsers({ count: users, seed: 1, dt: OLDER });
    await platform.warehouse.generateUsers({ count: users, seed: 2, dt: NEWER });
    await save(platform, 'doomed', OLD_RULE);
    await save(platform, 'kept', OLD_RULE);
    await runCrowds(platform, OLDER);
    await runCrowds(platform, NEWER);
    await use(platform, place);
  });
}

async function save({ catalog }: RunPlatform, crowdCode: string, rule: unknown): Promise<number> {
  const by = { principal: 'test', expected: 'absent' } as const;
  return (await catalog.crowds.save(crowdCode, crowdDefinition(rule), by)).crowd.version;
}

async function deleteAndWait(platform: RunPlatform): Promise<CrowdRun> {
  const run = await platform.runs.deleteCrowd('doomed', BY);
  assert.ok(run);
  await platform.runs.settled();
  return platform.catalog.runs.get(run.runId);
}

const tables = ({ warehouse }: RunPlatform) => readdirSync(path.join(warehouse.files.root, 'ads')).sort();

async function toldBy({ bus }: RunPlatform, run: CrowdRun) {
  return (await readMembershipMessages(bus)).filter(
    (message) => 'changeTimeMs' in message && message.changeTimeMs === run.changeTimeMs,
  );
}

/** Creates the crowd anew with another rule: nobody is in it, and then exactly those whom the rule selects. */
async function createAnew(platform: RunPlatform, dt: string): Promise<void> {
  assert.equal(await save(platform, 'doomed', NEW_RULE), 2);
  assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);
  const [run] = await runCrowds(platform, dt, ['doomed']);
  const members = (await referenceMembers(platform, dt, ['doomed'])).get('doomed') ?? [];
  assert.ok(members.length > 0);
  assert.deepEqual(run?.counts, { entered: members.length, left: 0, total: members.length });
  assert.deepEqual(await storeMembers(platform.store, 'doomed'), members);
  assert.deepEqual(await tableMembers(platform, 'doomed', dt), members);
  assert.equal((await platform.catalog.crowds.get('doomed')).userCount, members.length);
}

test('a deletion takes everyone out, tells of each, and the code begins anew with nobody', () =>
  withComputed({}, async (platform) => {
    const members = await storeMembers(platform.store, 'doomed');
    const others = await storeMembers(platform.store, 'kept');
    const run = await deleteAndWait(platform);
    assert.deepEqual(platform.errors, []);
    assert.deepEqual(
      [run.status, run.cause, run.dt, run.counts],
      ['committed', 'deletion', null, { entered: 0, left: members.length, total: 0 }],
    );
    assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);
    assert.deepEqual(await storeMembers(platform.store, 'kept'), others);
    assert.deepEqual(tables(platform), ['crowd_uid_kept']);
    const { changeTimeMs } = run;
    const told = new Map((await toldBy(platform, run)).map((each) => ['uid' in each ? each.uid : '', each]));
    assert.deepEqual([...told.keys()].sort(), members);
    for (const [uid, message] of told) {
      const leave = { type: 'membership-changed', uid, crowdCode: 'doomed', kind: 'leave', changeTimeMs };
      assert.deepEqual(message, leave);
    }
    // For an older date than the crowd before it: that was another crowd.
    await createAnew(platform, OLDER);
    assert.deepEqual(await storeMembers(platform.store, 'kept'), others);
    await platform.runs.deleteCrowd('kept', BY);
    await platform.runs.deleteCrowd('doomed', { ...BY, expected: 2 });
    await platform.runs.settled();
    assert.deepEqual(tables(platform), []);
    assert.deepEqual(await listMembershipFiles(platform.warehouse.files), []);
  }));

test('more users than are told one by one: caches are told to forget everything, after the store has it', () =>
  withComputed({ users: 30_000 }, async (platform) => {
    const members = await storeMembers(platform.store, 'doomed');
    assert.ok(members.length > 10_000);
    const run = await deleteAndWait(platform);
    assert.equal(run.counts?.left, members.length);
    assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);
    const told = await toldBy(platform, run);
    const refreshed = { type: 'crowd-refreshed', crowdCode: 'doomed', changeTimeMs: run.changeTimeMs };
    assert.ok(told.length > 0);
    for (const message of told) assert.deepEqual(message, refreshed);
  }));

test('what happened before the deletion does not undo it, and what an event did ahead of it does not outlive it', () =>
  withComputed({}, async (platform) => {
    const members = await storeMembers(platform.store, 'doomed');
    // By events whose clock is ahead of ours: those who are in the crowd already, and one whom no run has seen.
    const aheadMs = Date.now() + 120_000;
    const ahead = { crowdCode: 'doomed', kind: 'enter', changeTimeMs: aheadMs } as const;
    const entering = [...members, 'by_event'].map((uid) => ({ ...ahead, uid }));
    await platform.store.apply(entering, Date.now());

    const run = await deleteAndWait(platform);
    assert.deepEqual(platform.errors, []);
    assert.ok((run.changeTimeMs ?? 0) >= aheadMs);
    assert.equal(run.counts?.left, members.length + 1);
    assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);

    const late = members.map((each) => ({ ...ahead, uid: each, changeTimeMs: (run.changeTimeMs ?? 0) - 1 }));
    const { accepted } = await platform.store.apply(late, Date.now());
    assert.equal(accepted, late.length);
    assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);
    await createAnew(platform, NEWER);
  }));

test('while it is unfinished the code is refused; what a stopped platform left is done by the next one', () =>
  withComputed({}, async (platform, place) => {
    const members = await storeMembers(platform.store, 'doomed');
    // Recorded, and the process was gone before it could begin.
    const deletion = await platform.catalog.crowds.delete('doomed', { ...BY, maxUnfinished: 10 });
    assert.ok(deletion);
    const waits = {
      code: 'conflict',
      message: new RegExp(`run ${deletion.runId} `),
      extra: { usedBy: [{ kind: 'run', code: String(deletion.runId) }] },
    };
    await assert.rejects(save(platform, 'doomed', NEW_RULE), waits);
    await assert.rejects(runCrowds(platform, NEWER, ['doomed']), { code: 'not_found' });

    // Stopped with the store written and nobody told.
    let stop = () => {};
    const first = await openRunPlatform({ ...place, onStep: (step) => step === 'store' && stop() });
    stop = () => void first.runs.close();
    await first.runs.resume();
    await first.runs.settled();
    await first.close();
    assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);
    const stopped = await platform.catalog.runs.get(deletion.runId);
    assert.equal(stopped.status, 'running');
    assert.deepEqual(await toldBy(platform, stopped), []);
    await assert.rejects(save(platform, 'doomed', NEW_RULE), waits);

    await platform.runs.resume();
    await platform.runs.settled();
    const run = await platform.catalog.runs.get(deletion.runId);
    assert.deepEqual([run.status, run.counts?.left], ['committed', members.length]);
    assert.equal(run.changeTimeMs, stopped.changeTimeMs);
    const told = await toldBy(platform, run);
    assert.deepEqual(told.map((message) => ('uid' in message ? message.uid : '')).sort(), members);
    await createAnew(platform, NEWER);
  }));

test('repeated after the lateness bound, it has a change time that the store takes', () =>
  withComputed({}, async (platform, place) => {
    const members = await storeMembers(platform.store, 'doomed');
    let stop = () => {};
    const first = await openRunPlatform({
      ...place,
      now: () => Date.now() - LATENESS_BOUND_MS - 1_000,
      onStep: (step) => step === 'scan' && stop(),
    });
    stop = () => void first.runs.close();
    const deletion = await first.runs.deleteCrowd('doomed', BY);
    await first.runs.settled();
    await first.close();
    await platform.runs.resume();
    await platform.runs.settled();
    assert.deepEqual(platform.errors, []);
    const run = await platform.catalog.runs.get(deletion?.runId ?? 0);
    assert.deepEqual([run.status, run.counts?.left], ['committed', members.length]);
    assert.deepEqual(await storeMembers(platform.store, 'doomed'), []);
    await createAnew(platform, NEWER);
  }));

test('one that does not come through is tried again, and left to the next start in the end', async () => {
  let failures = 0;
  const onStep = (step: string) => {
    if (step !== 'publish' || failures === 0) return;
    failures -= 1;
    throw new Error('a bus that broke');
  };
  await withComputed({ onStep }, async (platform, place) => {
    failures = 1;
    const run = await deleteAndWait(platform);
    assert.deepEqual([run.status, run.error, platform.errors.length], ['committed', null, 1]);
    await createAnew(platform, NEWER);

    // Now without an end, until the platform is stopped between two tries.
    failures = Number.POSITIVE_INFINITY;
    const second = await platform.runs.deleteCrowd('doomed', { ...BY, expected: 2 });
    const queued = await until('a first try', async () => {
      const now = await platform.catalog.runs.get(second?.runId ?? 0);
      return now.error === null ? undefined : now;
    });
    assert.deepEqual([queued.status, queued.finishedAt], ['queued', null]);
    await assert.rejects(save(platform, 'doomed', NEW_RULE), { code: 'conflict' });
    await platform.runs.close();
    const next = await openRunPlatform(place);
    await next.runs.resume();
    await next.runs.settled();
    const ended = await next.catalog.runs.get(second?.runId ?? 0);
    assert.deepEqual([ended.status, ended.error], ['committed', null]);
    assert.deepEqual(await storeMembers(next.store, 'doomed'), []);
    assert.ok(!existsSync(path.join(next.warehouse.files.root, 'ads', 'crowd_uid_doomed')));
    await next.close();
  });
});

test('from the deletion on no gateway names the crowd: not before it is emptied, and not when its code is used again', () =>
  withComputed({}, async (platform, { folder, connection }) => {
    const members = await storeMembers(platform.store, 'doomed');
    const stopHeartbeat = startHeartbeat(platform.bus, { everyMs: 200, onError: () => {} });
    const relay = startOutboxRelay({
      connection,
      zone: TEST_ZONE,
      claim: async () => {
        const publish = await platform.bus.claim('outbox');
        return (topic, messages) => publish(topic as TopicName, messages);
      },
      onError: (error) => platform.errors.push(error),
    });
    const gateway = await GatewayProcess.start({ folder });
    try {
      await gateway.ready();
      const uids = members.slice(0, 20);
      /** Everyone's list and single answer, over connections of their own, so that each worker gives some. */
      const answers = async () =>
        Promise.all(
          uids.flatMap((uid) =>
            [`/match?uid=${uid}`, `/match?uid=${uid}&crowdCode=doomed`].map(async (target) => {
              const reply = await gateway.get(target, { headers: { connection: 'close' } });
              return (await reply.json()) as Record<string, unknown>;
            }),
          ),
        );
      const all = (given: Record<string, unknown>[], userCrowds: string[], single: object) =>
        given.every(({ userCrowds: listed, isMatch, reason, status }) =>
          listed === undefined
            ? JSON.stringify({ isMatch, reason, status }) === JSON.stringify({ ...single, status: 'fresh' })
            : JSON.stringify(listed) === JSON.stringify(userCrowds) && status === 'fresh',
        );
      const become = (userCrowds: string[], single: object) =>
        until(`${userCrowds.join()} ${JSON.stringify(single)}`, async () =>
          all(await answers(), userCrowds, single),
        );
      await become(['doomed', 'kept'], { isMatch: true });

      // Deleted, and not yet emptied.
      await platform.catalog.crowds.delete('doomed', { ...BY, maxUnfinished: 10 });
      await become(['kept'], { isMatch: false, reason: 'unknown_crowd' });
      assert.deepEqual(await storeMembers(platform.store, 'doomed'), members);
      await platform.runs.resume();
      await platform.runs.settled();
      assert.ok(all(await answers(), ['kept'], { isMatch: false, reason: 'unknown_crowd' }));

      // There again, with nobody: no answer ever names an old member.
      await save(platform, 'doomed', NEW_RULE);
      await until('the new crowd is known', async () => {
        const given = await answers();
        assert.ok(
          given.every(
            ({ userCrowds, isMatch }) =>
              isMatch !== true && !(Array.isArray(userCrowds) && userCrowds.includes('doomed')),
          ),
          JSON.stringify(given),
        );
        return all(given, ['kept'], { isMatch: false, reason: 'not_member' });
      });
      assert.deepEqual(platform.errors, []);
    } finally {
      await gateway.stop();
      await relay.close();
      await stopHeartbeat();
    }
  }));
