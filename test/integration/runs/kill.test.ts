import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { listMembershipFiles } from '../../../platform/runs/membership-file.js';
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
import { copyPlace, runChild } from './killing.js';

const FIRST_DT = '1997-12-30';
const SECOND_DT = '1997-12-31';
const TASK = { computeFor: SECOND_DT };
/** Each after those that it refers to. */
const CROWDS = ['premium_users', 'recent_buyers', 'lapsed_premium_users', 'regulars_without_bulk'];
/** All of whom may change without a refresh taking the place of the single messages. */
const USERS = 9_000;

let places: RunPlaces;
let template: Place;

/** A platform that has run once; each kill begins from a copy of it. */
before(async () => {
  places = await RunPlaces.open();
  template = await places.create();
  const platform = await openRunPlatform(template);
  await registerDemo(platform, CROWDS);
  await platform.warehouse.generateUsers({ count: USERS, seed: 1, dt: FIRST_DT });
  await platform.warehouse.generateUsers({ count: USERS, seed: 2, dt: SECOND_DT });
  await runCrowds(platform, FIRST_DT);
  await platform.close();
});
after(() => places.remove());

/** What a run leaves behind, without what differs by chance: clocks and the order in which messages of users lie. */
async function stateOf(platform: RunPlatform, folder: string) {
  const state = [];
  for (const crowdCode of CROWDS) {
    const crowd = await platform.catalog.crowds.get(crowdCode);
    const run = await platform.catalog.runs.lastCommitted(crowdCode);
    state.push({
      crowdCode,
      userCount: crowd.userCount,
      lastCalcDt: crowd.lastCalcDt,
      counts: run?.counts,
      store: await storeMembers(platform.store, crowdCode),
      table: await tableMembers(platform, crowdCode, SECOND_DT),
      exported: readFileSync(path.join(folder, 'exports', `${crowdCode}_${SECOND_DT}.csv`), 'utf8'),
    });
  }
  const changeTimes = new Map<string, number | null | undefined>();
  for (const crowdCode of CROWDS)
    changeTimes.set(crowdCode, (await platform.catalog.runs.lastCommitted(crowdCode))?.changeTimeMs);
  // At least once: a repeat may tell a change again, the same one.
  const told = new Set<string>();
  for (const message of await readMembershipMessages(platform.bus)) {
    if (message.type !== 'membership-changed') continue;
    const isOfThisRun = message.changeTimeMs === changeTimes.get(message.crowdCode);
    if (isOfThisRun) told.add(`${message.crowdCode} ${message.uid} ${message.kind}`);
  }
  return {
    state,
    told: [...told].sort(),
    files: (await listMembershipFiles(platform.warehouse.files)).length,
  };
}

test('a run killed after any step, and executed again, ends as an undisturbed one', async () => {
  const undisturbed = await copyPlace(places.postgres, template, 'undisturbed');
  const { steps, status, stderr } = runChild(undisturbed, TASK);
  assert.equal(status, 0, stderr);
  assert.ok(steps.filter((step) => step === 'store').length >= 2, 'several batches');
  const platform = await openRunPlatform(undisturbed);
  const expected = await stateOf(platform, undisturbed.folder);
  const reference = await referenceMembers(platform, SECOND_DT, CROWDS);
  for (const { crowdCode, store, table, exported, userCount, lastCalcDt } of expected.state) {
    const members = reference.get(crowdCode) ?? [];
    assert.deepEqual(store, members, crowdCode);
    assert.deepEqual(table, members, crowdCode);
    assert.equal(exported, ['uid', ...members, ''].join('\n'));
    assert.equal(userCount, members.length);
    assert.equal(lastCalcDt, SECOND_DT);
  }
  assert.ok(expected.told.length > 10_000, 'more changes than one batch holds');
  assert.equal(expected.files, 1);
  await platform.close();

  for (const [index, step] of steps.entries()) {
    const killed = await copyPlace(places.postgres, template, `killed_${index + 1}`);
    const first = runChild(killed, TASK, index + 1);
    assert.equal(first.signal, 'SIGKILL', `step ${step}: ${first.stderr}`);
    assert.equal(first.steps.at(-1), step);
    const isCommitted = step === 'collect' || step === `commit ${CROWDS.at(-1)}`;
    if (!isCommitted) {
      const second = runChild(killed, TASK);
      assert.equal(second.status, 0, `after step ${step}: ${second.stderr}`);
    }
    const survivor = await openRunPlatform(killed);
    const state = await stateOf(survivor, killed.folder);
    await survivor.close();
    assert.deepEqual(state.state, expected.state, `killed after ${step}`);
    assert.deepEqual(state.told, expected.told, `killed after ${step}`);
    if (step !== `commit ${CROWDS.at(-1)}`) assert.equal(state.files, 1, `killed after ${step}`);
    rmSync(killed.folder, { recursive: true, force: true });
    assert.ok(!existsSync(killed.folder));
  }
});
