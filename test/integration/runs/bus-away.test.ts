/** Runs while the bus takes nothing: what the store has is told later, and nobody vouches for caches until then. */
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { crowdDefinition } from '../../support/catalog.js';
import {
  openRunPlatform,
  RunPlaces,
  type RunPlatform,
  type RunPlatformOptions,
  readMembershipMessages,
  registerDemo,
  storeMembers,
} from '../../support/run-platform.js';

const DT = '2026-01-31';
const CROWD = 'grown';

let places: RunPlaces;
let isAway: boolean;
let place: RunPlatformOptions;
before(async () => {
  places = await RunPlaces.open();
});
after(() => places.remove());
beforeEach(async () => {
  isAway = true;
  place = {
    ...(await places.create()),
    beforePublish: () => {
      if (isAway) throw new QuanrenError('unavailable', 'The bus is away.');
    },
  };
});

/** Starts a run; resolves when its changes are in the store and the bus has refused to tell of them. */
async function startUntold(platform: RunPlatform): Promise<number> {
  await registerDemo(platform, []);
  await platform.warehouse.generateUsers({ count: 500, seed: 2, dt: DT });
  const rule = { tag_code: 'age', op: '>', value: 40 };
  await platform.catalog.crowds.save(CROWD, crowdDefinition(rule), { principal: 'test', expected: 'absent' });
  assert.equal(platform.runs.isBehind, false);
  const [run] = await platform.runs.start({
    crowdCodes: [CROWD],
    dt: DT,
    cause: 'manual',
    requestedBy: 'test',
  });
  const deadline = performance.now() + 20_000;
  while (!platform.runs.isBehind) {
    assert.ok(performance.now() < deadline, 'the run did not come to publish');
    await delay(10);
  }
  assert.ok((await storeMembers(platform.store, CROWD)).length > 0);
  assert.deepEqual(await readMembershipMessages(platform.bus), []);
  return run?.runId ?? 0;
}

async function assertTold(platform: RunPlatform, runId: number): Promise<void> {
  await platform.runs.settled();
  assert.equal(platform.runs.isBehind, false);
  assert.equal((await platform.catalog.runs.get(runId)).status, 'committed');
  const told = await readMembershipMessages(platform.bus);
  const uids = told.map((message) => ('uid' in message ? message.uid : '')).sort();
  assert.deepEqual(uids, await storeMembers(platform.store, CROWD));
}

test('a run waits for the bus, and tells what it has written', async () => {
  const platform = await openRunPlatform(place);
  const runId = await startUntold(platform);
  await delay(500);
  assert.equal((await platform.catalog.runs.get(runId)).status, 'running');
  isAway = false;
  await assertTold(platform, runId);
  await platform.close();
});

test('a platform that is stopped meanwhile tells after its next start', async () => {
  const platform = await openRunPlatform(place);
  const runId = await startUntold(platform);
  await platform.close();
  const next = await openRunPlatform(place);
  assert.equal(next.runs.isBehind, false);
  await next.runs.resume();
  assert.equal(next.runs.isBehind, true, 'nobody vouches for caches from the start on');
  isAway = false;
  await assertTold(next, runId);
  await next.close();
});
