import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { TagDefinition } from '../../../catalog/types.js';
import { DEMO_CROWDS } from '../../../platform/demo/crowds.js';
import { listMembershipFiles } from '../../../platform/runs/membership-file.js';
import { RuleChecker } from '../../../rules/index.js';
import { LATENESS_BOUND_MS } from '../../../stores/membership-store.js';
import { crowdDefinition, inCrowd, tagDefinition } from '../../support/catalog.js';
import {
  openRunPlatform,
  RunPlaces,
  type RunPlatform,
  type RunPlatformOptions,
  readMembershipMessages,
  referenceMembers,
  registerDemo,
  runCrowds,
  storeMembers,
  tableMembers,
} from '../../support/run-platform.js';

let places: RunPlaces;

before(async () => {
  places = await RunPlaces.open();
});
after(() => places.remove());

const SIZES = {
  big_spenders_30d: 142,
  premium_users: 734,
  one_time_buyers: 11_908,
  recent_buyers: 1_506,
  lapsed_premium_users: 210,
  regulars_without_bulk: 3_430,
  city_unknown_actives: 3_301,
  win_back_targets: 706,
};

test('the demo: the sizes that a count by hand gives, everywhere, and the reference evaluator’s members', () =>
  places.withPlatform({}, async (platform) => {
    await registerDemo(platform);
    await platform.warehouse.loadPurchases('data/cdnow_master.txt', { fileName: 'cdnow_master.txt' });
    const runs = await runCrowds(platform, '1998-06-30');
    assert.deepEqual(platform.errors, []);
    const reference = await referenceMembers(platform, '1998-06-30');
    for (const { crowdCode } of DEMO_CROWDS) {
      const members = reference.get(crowdCode) ?? [];
      assert.equal(members.length, SIZES[crowdCode as keyof typeof SIZES], crowdCode);
      assert.deepEqual(await storeMembers(platform.store, crowdCode), members);
      assert.deepEqual(await tableMembers(platform, crowdCode, '1998-06-30'), members);
      const crowd = await platform.catalog.crowds.get(crowdCode);
      assert.equal(crowd.userCount, members.length);
      assert.equal(crowd.lastCalcDt, '1998-06-30');
      const run = runs.find((candidate) => candidate.crowdCode === crowdCode);
      assert.deepEqual(run?.counts, { entered: members.length, left: 0, total: members.length });

      const rule = await platform.catalog.checkRule(crowd.ruleJson);
      const preview = await platform.warehouse.previewRule(rule, {});
      assert.equal(preview.userCount, members.length);
      assert.deepEqual(preview.sampleUids, members.slice(0, 10));
    }
    // More users than are told one by one.
    const messages = await readMembershipMessages(platform.bus);
    const refreshed = messages.filter(({ type }) => type === 'crowd-refreshed');
    assert.equal(messages.length, refreshed.length);
    assert.deepEqual(
      new Set(refreshed.map((message) => 'crowdCode' in message && message.crowdCode)),
      new Set(DEMO_CROWDS.map(({ crowdCode }) => crowdCode)),
    );

    // The same again changes nobody, and tells nobody.
    const again = await runCrowds(platform, '1998-06-30');
    assert.ok(again.every((run) => run.counts?.entered === 0 && run.counts.left === 0));
    assert.equal((await readMembershipMessages(platform.bus)).length, messages.length);
    assert.equal((await listMembershipFiles(platform.warehouse.files)).length, 1);
  }));

const NEWER = '2026-01-31';
const OLDER = '2026-01-30';
const AGE_OVER = (age: number) => ({ tag_code: 'age', op: '>', value: age });

/** Synthetic users for two business dates and one crowd, `grown`. */
async function prepare(platform: RunPlatform, rule: unknown = AGE_OVER(40)): Promise<void> {
  await registerDemo(platform, []);
  await platform.warehouse.generateUsers({ count: 500, seed: 1, dt: OLDER });
  await platform.warehouse.generateUsers({ count: 500, seed: 2, dt: NEWER });
  await platform.catalog.crowds.save('grown', crowdDefinition(rule), {
    principal: 'test',
    expected: 'absent',
  });
}

async function changeRule(platform: RunPlatform, rule: unknown): Promise<void> {
  const { version } = await platform.catalog.crowds.get('grown');
  await platform.catalog.crowds.save('grown', crowdDefinition(rule), {
    principal: 'test',
    expected: version,
  });
}

test('a run for an older dt writes its table and touches neither store nor counts', () =>
  places.withPlatform({}, async (platform) => {
    await prepare(platform);
    await runCrowds(platform, NEWER);
    const newer = await storeMembers(platform.store, 'grown');
    const told = await readMembershipMessages(platform.bus);
    const [run] = await runCrowds(platform, OLDER);
    assert.equal(run?.status, 'committed');
    assert.equal(run?.updatesStore, false);
    const older = (await referenceMembers(platform, OLDER, ['grown'])).get('grown') ?? [];
    assert.notDeepEqual(older, newer);
    assert.deepEqual(await tableMembers(platform, 'grown', OLDER), older);
    assert.deepEqual(await storeMembers(platform.store, 'grown'), newer);
    const { lastCalcDt, userCount } = await platform.catalog.crowds.get('grown');
    assert.deepEqual([lastCalcDt, userCount], [NEWER, newer.length]);
    assert.deepEqual(await readMembershipMessages(platform.bus), told);
    // The base of the next run is that of the newer one.
    await changeRule(platform, AGE_OVER(50));
    await runCrowds(platform, NEWER);
    const next = (await referenceMembers(platform, NEWER, ['grown'])).get('grown');
    assert.deepEqual(await storeMembers(platform.store, 'grown'), next);
  }));

test('the difference is told change by change', () =>
  places.withPlatform({}, async (platform) => {
    await prepare(platform);
    await runCrowds(platform, NEWER);
    const before = new Set(await storeMembers(platform.store, 'grown'));
    await changeRule(platform, { logic: 'NOT', conditions: [AGE_OVER(40)] });
    const [run] = await runCrowds(platform, NEWER);
    const after = new Set(await storeMembers(platform.store, 'grown'));
    const changeTimeMs = run?.changeTimeMs;
    const messages = (await readMembershipMessages(platform.bus)).filter(
      (message) => 'changeTimeMs' in message && message.changeTimeMs === changeTimeMs,
    );
    const byUid = new Map(messages.map((message) => ['uid' in message ? message.uid : '', message]));
    assert.equal(byUid.size, messages.length);
    assert.deepEqual(new Set(byUid.keys()), new Set([...before, ...after]));
    for (const [uid, message] of byUid) {
      const kind = after.has(uid) ? 'enter' : 'leave';
      assert.deepEqual(message, { type: 'membership-changed', uid, crowdCode: 'grown', kind, changeTimeMs });
    }
  }));

test('paused crowds are refused by name, and left out of a run of all', () =>
  places.withPlatform({}, async (platform) => {
    await prepare(platform);
    await platform.catalog.crowds.setStatus('grown', 'paused', 'test');
    await assert.rejects(runCrowds(platform, NEWER, ['grown']), { code: 'conflict' });
    await assert.rejects(runCrowds(platform, NEWER), { code: 'bad_request' });
    await assert.rejects(runCrowds(platform, NEWER, ['nobody']), { code: 'not_found' });
    await assert.rejects(runCrowds(platform, '2020-01-01', ['grown']), { code: 'not_found' });
  }));

/** Tags that the wide table cannot answer, and the sentences that say why. */
const UNREADABLE: readonly [code: string, definition: Partial<TagDefinition>, reason: string][] = [
  [
    'shoe_size',
    {},
    'The tag shoe_size is declared as INTEGER in the column shoe_size, which dws.user_profile_wide does not have.',
  ],
  [
    'uid_number',
    { sourceField: 'uid', sourceType: 'BIGINT' },
    'The tag uid_number is declared as BIGINT, and its column uid in dws.user_profile_wide is VARCHAR.',
  ],
  [
    'narrow',
    { sourceField: 'age', sourceType: 'SMALLINT' },
    'The tag narrow is declared as SMALLINT, and its column age in dws.user_profile_wide is INTEGER.',
  ],
  [
    'few_digits',
    { sourceField: 'total_spent', sourceType: 'DECIMAL(10,3)' },
    'The tag few_digits is declared as DECIMAL(10,3), and its column total_spent in dws.user_profile_wide is DECIMAL(10,2).',
  ],
  [
    'elsewhere',
    { sourceField: 'age', sourceTable: 'dws.other' },
    'The tag elsewhere lies in the table dws.other: what is computed offline reads dws.user_profile_wide only.',
  ],
  [
    'at_once',
    { sourceField: 'age', calculationType: 'realtime' },
    'The tag at_once is computed in real time: what is computed offline cannot read it.',
  ],
];

test('a crowd on a tag that the wide table cannot answer fails alone, with the reason', () =>
  places.withPlatform({}, async (platform) => {
    await prepare(platform);
    const { catalog } = platform;
    const change = { principal: 'test', expected: 'absent' } as const;
    for (const [code, definition] of UNREADABLE) {
      await catalog.tags.save(tagDefinition(code, definition), change);
      const rule = { tag_code: code, op: '>', value: 40 };
      await catalog.crowds.save(`of_${code}`, crowdDefinition(rule), change);
    }
    // Wider than the column, or without a table: that is no contradiction.
    const wide = { sourceField: 'age', sourceType: 'BIGINT', sourceTable: null };
    await catalog.tags.save(tagDefinition('wide', wide), change);
    const rules = {
      by_another: inCrowd('of_uid_number'),
      grown_too: { tag_code: 'wide', op: '>', value: 40 },
    };
    for (const [code, rule] of Object.entries(rules))
      await catalog.crowds.save(code, crowdDefinition(rule), change);

    const runs = await runCrowds(platform, NEWER);
    const outcome = Object.fromEntries(runs.map((run) => [run.crowdCode, run.error ?? run.status]));
    const reasons = Object.fromEntries(UNREADABLE.map(([code, , reason]) => [`of_${code}`, reason]));
    assert.deepEqual(outcome, {
      ...reasons,
      by_another: reasons.of_uid_number,
      grown: 'committed',
      grown_too: 'committed',
    });
    const grown = await storeMembers(platform.store, 'grown');
    assert.ok(grown.length > 0);
    assert.deepEqual(await storeMembers(platform.store, 'grown_too'), grown);

    // Preview and explanation say the same.
    const checker = new RuleChecker(await catalog.ruleEnvironment());
    for (const [code, , message] of UNREADABLE) {
      const checked = checker.checkCrowd(`of_${code}`);
      assert.ok(checked.ok);
      const refusal = { code: 'invalid_rule', message };
      await assert.rejects(platform.warehouse.previewRule(checked.value, { dt: NEWER }), refusal);
      const asked = { dt: NEWER, rule: checked.value };
      await assert.rejects(platform.warehouse.readUserRow('syn_00000001', asked), refusal);
    }
  }));

test('a run that fails while it writes leaves nothing behind that the next run does not put right', async () => {
  let failNext = false;
  const onStep = (step: string) => {
    if (!failNext || step !== 'store') return;
    failNext = false;
    throw new Error('a store that broke after it took the changes');
  };
  await places.withPlatform({ onStep }, async (platform) => {
    await prepare(platform);
    await runCrowds(platform, NEWER);
    failNext = true;
    await changeRule(platform, { logic: 'NOT', conditions: [AGE_OVER(40)] });
    const [failed] = await runCrowds(platform, NEWER);
    assert.equal(failed?.status, 'failed');
    assert.equal(platform.errors.length, 1);
    // Back to the first rule: by the last committed run alone there would be nothing to change.
    await changeRule(platform, AGE_OVER(40));
    const [next] = await runCrowds(platform, NEWER);
    assert.equal(next?.status, 'committed');
    assert.deepEqual(next.counts?.entered, 0);
    const members = (await referenceMembers(platform, NEWER, ['grown'])).get('grown');
    assert.deepEqual(await storeMembers(platform.store, 'grown'), members);
    assert.equal((await listMembershipFiles(platform.warehouse.files)).length, 1);
  });
});

/** Stops a platform after a step, as a kill would, and lets another go on. */
async function interrupt(
  after: string,
  use: (first: RunPlatform) => Promise<void>,
  place: RunPlatformOptions,
) {
  let stop = () => {};
  const first = await openRunPlatform({ ...place, onStep: (step) => step === after && stop() });
  stop = () => void first.runs.close();
  await use(first);
  await first.runs.settled();
  await first.close();
}

test('a repeat keeps its members and its rule version, whatever has changed since', () =>
  places.withPlatform({}, async (platform, place) => {
    await prepare(platform);
    const members = (await referenceMembers(platform, NEWER, ['grown'])).get('grown');
    await interrupt(
      'scan',
      async (first) => {
        await first.runs.start({ crowdCodes: [], dt: NEWER, cause: 'manual', requestedBy: 'test' });
      },
      place,
    );
    const [unfinished] = await platform.catalog.runs.unfinished();
    assert.equal(unfinished?.status, 'running');
    await changeRule(platform, AGE_OVER(70));
    await platform.warehouse.generateUsers({ count: 300, seed: 9, dt: NEWER });
    await platform.runs.resume();
    await platform.runs.settled();
    const run = await platform.catalog.runs.get(unfinished.runId);
    assert.equal(run.status, 'committed');
    assert.equal(run.ruleVersion, 1);
    assert.equal(run.changeTimeMs, unfinished.changeTimeMs);
    assert.deepEqual(await storeMembers(platform.store, 'grown'), members);
  }));

test('a repeat after the lateness bound gets a change time that the store takes', () =>
  places.withPlatform({}, async (platform, place) => {
    await prepare(platform);
    const longAgo = () => Date.now() - LATENESS_BOUND_MS - 1_000;
    await interrupt(
      'store',
      async (first) => {
        await first.runs.start({ crowdCodes: [], dt: NEWER, cause: 'manual', requestedBy: 'test' });
      },
      { ...place, now: longAgo },
    );
    const [unfinished] = await platform.catalog.runs.unfinished();
    await platform.runs.resume();
    await platform.runs.settled();
    assert.deepEqual(platform.errors, []);
    const run = await platform.catalog.runs.get(unfinished?.runId ?? 0);
    assert.equal(run.status, 'committed');
    assert.ok((run.changeTimeMs ?? 0) > (unfinished?.changeTimeMs ?? 0) + LATENESS_BOUND_MS);
    const members = (await referenceMembers(platform, NEWER, ['grown'])).get('grown');
    assert.deepEqual(await storeMembers(platform.store, 'grown'), members);
  }));

test('an export that fails does not lose the run, and says where and why', () =>
  places.withPlatform({}, async (platform) => {
    await prepare(platform);
    const file = path.join(places.root, 'a-file');
    writeFileSync(file, 'mine');
    const [run] = await runCrowds(platform, NEWER, ['grown'], { format: 'csv', folder: file });
    assert.equal(run?.status, 'committed');
    assert.match(run.error ?? '', /^The export to .*a-file failed: /);
    const members = (await referenceMembers(platform, NEWER, ['grown'])).get('grown');
    assert.deepEqual(await storeMembers(platform.store, 'grown'), members);
    assert.equal((await platform.catalog.crowds.get('grown')).userCount, members?.length);
    assert.deepEqual(platform.errors, []);

    // A link in the way of the unfinished file is not followed.
    const folder = path.join(places.root, 'linked');
    mkdirSync(folder);
    symlinkSync(file, path.join(folder, `.grown_${NEWER}.csv.part`));
    const [again] = await runCrowds(platform, NEWER, ['grown'], { format: 'csv', folder });
    assert.deepEqual([again?.status, again?.error], ['committed', null]);
    assert.equal(readFileSync(file, 'utf8'), 'mine');
    assert.deepEqual(readdirSync(folder), [`grown_${NEWER}.csv`]);
  }));

test('exports: whole files under their names, and nothing else', () =>
  places.withPlatform({}, async (platform) => {
    await prepare(platform);
    const folder = path.join(places.root, 'exports');
    await runCrowds(platform, NEWER, ['grown'], { format: 'parquet', folder });
    await runCrowds(platform, NEWER, ['grown'], { format: 'csv', folder });
    assert.deepEqual(readdirSync(folder).sort(), [`grown_${NEWER}.csv`, `grown_${NEWER}.parquet`]);
    const members = (await referenceMembers(platform, NEWER, ['grown'])).get('grown');
    for (const reader of ['read_csv', 'read_parquet']) {
      const file = path.join(folder, `grown_${NEWER}.${reader.slice('read_'.length)}`);
      const rows = await platform.warehouse.session((session) =>
        session.rows(`SELECT uid FROM ${reader}($file)`, { file }),
      );
      assert.deepEqual(
        rows.map(({ uid }) => uid),
        members,
      );
    }
  }));
