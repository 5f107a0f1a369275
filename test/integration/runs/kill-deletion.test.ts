import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { listMembershipFiles } from '../../../platform/runs/membership-file.js';
import { crowdDefinition } from '../../support/catalog.js';
import {
  openRunPlatform,
  type Place,
  RunPlaces,
  readMembershipMessages,
  registerDemo,
  runCrowds,
  storeMembers,
} from '../../support/run-platform.js';
import { copyPlace, runChild } from './killing.js';

const DT = '1997-12-31';
/** More than one batch of the store, and more than are told one by one. */
const USERS = 15_000;
const EVERYONE = { tag_code: 'total_spent', op: '>=', value: 0 };
const OVER_40 = { tag_code: 'age', op: '>', value: 40 };
const DELETIONS = ['many', 'few'];
const TASK = { deletions: DELETIONS };

let places: RunPlaces;
let template: Place;
/** By crowd, before the deletions. */
const members = new Map<string, readonly string[]>();

before(async () => {
  places = await RunPlaces.open();
  template = await places.create();
  const platform = await openRunPlatform(template);
  await registerDemo(platform, []);
  await platform.warehouse.generateUsers({ count: USERS, seed: 1, dt: DT });
  for (const [crowdCode, rule] of Object.entries({ many: EVERYONE, few: OVER_40, kept: OVER_40 })) {
    const by = { principal: 'test', expected: 'absent' } as const;
    await platform.catalog.crowds.save(crowdCode, crowdDefinition(rule), by);
  }
  await runCrowds(platform, DT);
  for (const crowdCode of [...DELETIONS, 'kept'])
    members.set(crowdCode, await storeMembers(platform.store, crowdCode));
  await platform.close();
});
after(() => places.remove());

/** What the deletions leave behind, without clocks and the order of messages; the codes can be used again. */
async function stateOf(place: Place) {
  const platform = await openRunPlatform(place);
  try {
    const { catalog, store, warehouse } = platform;
    const { items } = await catalog.runs.list({ limit: 100, after: null });
    const deletions = items.filter(({ cause }) => cause === 'deletion');
    const changeTimes = new Map(deletions.map((run) => [run.crowdCode, run.changeTimeMs]));
    // At least once: a repeat may tell a change again, the same one.
    const told = new Set<string>();
    for (const message of await readMembershipMessages(platform.bus)) {
      if (message.type === 'heartbeat') continue;
      const { type, crowdCode, changeTimeMs } = message;
      if (changeTimeMs !== changeTimes.get(crowdCode)) continue;
      const who = type === 'membership-changed' ? `${message.kind} ${message.uid}` : '';
      told.add(`${crowdCode} ${type} ${who}`);
    }
    const again = [];
    for (const crowdCode of DELETIONS) {
      const by = { principal: 'test', expected: 'absent' } as const;
      const { crowd } = await catalog.crowds.save(crowdCode, crowdDefinition(OVER_40), by);
      again.push({ crowdCode, version: crowd.version, userCount: crowd.userCount });
    }
    const held = new Map<string, readonly string[]>();
    for (const crowdCode of members.keys()) held.set(crowdCode, await storeMembers(store, crowdCode));
    return {
      state: {
        runs: deletions.map(({ crowdCode, status, counts, error }) => ({ crowdCode, status, counts, error })),
        held,
        tables: readdirSync(path.join(warehouse.files.root, 'ads')),
        told: [...told].sort(),
        again,
      },
      files: (await listMembershipFiles(warehouse.files)).length,
    };
  } finally {
    await platform.close();
  }
}

test('deletions killed after any step, and executed again, end as undisturbed ones', async () => {
  const undisturbed = await copyPlace(places.postgres, template, 'undisturbed');
  const { steps, status, stderr } = runChild(undisturbed, TASK);
  assert.equal(status, 0, stderr);
  const end = ['table', 'commit', 'collect'];
  assert.deepEqual(steps, [
    // The first of two batches is told of at once, and all when the last is written.
    ...['begin', 'scan', 'store', 'publish', 'store', 'publish', ...end],
    ...['begin', 'scan', 'store', 'publish', ...end],
  ]);
  const { state, files } = await stateOf(undisturbed);
  const few = members.get('few') ?? [];
  assert.equal(members.get('many')?.length, USERS);
  assert.ok(few.length > 1_000 && few.length <= 10_000);
  const committed = (crowdCode: string, left: number) => {
    return { crowdCode, status: 'committed', counts: { entered: 0, left, total: 0 }, error: null };
  };
  assert.deepEqual(state, {
    runs: [committed('few', few.length), committed('many', USERS)],
    held: new Map([
      ['many', []],
      ['few', []],
      ['kept', members.get('kept')],
    ]),
    tables: ['crowd_uid_kept'],
    told: [...few.map((uid) => `few membership-changed leave ${uid}`), 'many crowd-refreshed '].sort(),
    again: DELETIONS.map((crowdCode) => ({ crowdCode, version: 2, userCount: 0 })),
  });
  assert.equal(files, 1, 'that which the crowd that is kept rests on');

  for (const [index, step] of steps.entries()) {
    const killed = await copyPlace(places.postgres, template, `killed_${index + 1}`);
    const first = runChild(killed, TASK, index + 1);
    assert.equal(first.signal, 'SIGKILL', `step ${step}: ${first.stderr}`);
    assert.deepEqual(first.steps, steps.slice(0, index + 1));
    const isCommitted = index >= steps.length - 2;
    if (!isCommitted) {
      const second = runChild(killed, TASK);
      assert.equal(second.status, 0, `after step ${index + 1}, ${step}: ${second.stderr}`);
    }
    const after = await stateOf(killed);
    assert.deepEqual(after.state, state, `killed after step ${index + 1}, ${step}`);
    // The file of a deletion killed before it could clean up goes with the next run.
    if (index !== steps.length - 2)
      assert.equal(after.files, files, `killed after step ${index + 1}, ${step}`);
    rmSync(killed.folder, { recursive: true, force: true });
  }
});
