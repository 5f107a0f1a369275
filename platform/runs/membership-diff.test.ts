import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Duck, type DuckSession } from '../warehouse/duck.js';
import { WarehouseFiles } from '../warehouse/files.js';
import { ChangeReader, type ComparedCrowd, compareMembers } from './membership-diff.js';
import { type MembershipFile, openMembershipFile, writeMembershipFile } from './membership-file.js';

let folder: string;
let files: WarehouseFiles;
let duck: Duck;

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'quanren-diff-'));
  files = new WarehouseFiles(folder);
  await files.reset();
  duck = await Duck.open({ tempDirectory: path.join(folder, 'spill'), memoryLimitBytes: 5e8, threads: 1 });
});
after(() => {
  duck.close();
  rmSync(folder, { recursive: true, force: true });
});

const USERS = 6;
/** More than one mask column holds. */
const CROWDS = Array.from({ length: 33 }, (_, i) => `crowd_${i}`);

/** crowd code → the users in it */
type Members = ReadonlyMap<string, ReadonlySet<number>>;

/** A membership file by the product's own writer, over a table of users and their numbers. */
async function write(session: DuckSession, batchId: string, members: Members) {
  const profiles = files.temporaryFile();
  await session.run(
    'COPY (SELECT $prefix || i AS uid, i FROM range($users::BIGINT) AS users(i)) TO $profiles',
    {
      prefix: 'u',
      users: BigInt(USERS),
      profiles,
    },
  );
  const crowds = [...members].map(([crowdCode, users]) => ({
    crowdCode,
    condition: users.size === 0 ? 'FALSE' : `i IN (${[...users].join(', ')})`,
  }));
  await writeMembershipFile(session, files, batchId, profiles, crowds);
  return openMembershipFile(session, files, batchId);
}

const users = fc.uniqueArray(fc.nat(USERS - 1)).map((list) => new Set(list));
const membersOf = (crowds: readonly string[]) =>
  fc
    .tuple(...crowds.map(() => users))
    .map((sets) => new Map(crowds.map((code, i) => [code, sets[i] ?? new Set<number>()])));
const someCrowds = fc.shuffledSubarray(CROWDS, { minLength: 1 });

test('after the changes the store holds the new members, whatever part of a given-up run it held', async () => {
  const scenario = fc.record({
    now: someCrowds.chain(membersOf),
    committed: fc.array(someCrowds.chain(membersOf), { maxLength: 2 }),
    givenUp: fc.array(someCrowds.chain(membersOf), { maxLength: 2 }),
    /** Which of the given-up runs' writes reached the store. */
    reached: fc.func(fc.boolean()),
  });
  let batches = 0;
  await fc.assert(
    fc.asyncProperty(scenario, ({ now, committed, givenUp, reached }) =>
      duck.session(async (session) => {
        const save = (members: Members) => write(session, `batch-${batches++}`, members);
        const current = await save(now);
        const committedFiles: { members: Members; file: MembershipFile }[] = [];
        for (const members of committed) committedFiles.push({ members, file: await save(members) });
        const givenUpFiles: { members: Members; file: MembershipFile }[] = [];
        for (const members of givenUp) givenUpFiles.push({ members, file: await save(members) });

        const crowds: ComparedCrowd[] = [...now.keys()].map((crowdCode, position) => ({
          crowdCode,
          position,
          changeTimeMs: 1_000 + position,
          committed: committedFiles.find(({ members }) => members.has(crowdCode))?.file ?? null,
          givenUp: givenUpFiles.filter(({ members }) => members.has(crowdCode)).map(({ file }) => file),
        }));
        const store = new Map<string, Set<number>>();
        const was = new Map<string, ReadonlySet<number>>();
        for (const crowdCode of now.keys()) {
          const base =
            committed.find((members) => members.has(crowdCode))?.get(crowdCode) ?? new Set<number>();
          was.set(crowdCode, base);
          const held = new Set(base);
          for (const [attempt, members] of givenUp.entries()) {
            const tried = members.get(crowdCode);
            for (let user = 0; tried !== undefined && user < USERS; user += 1) {
              if (!reached(attempt, crowdCode, user)) continue;
              if (tried.has(user)) held.add(user);
              else held.delete(user);
            }
          }
          store.set(crowdCode, held);
        }

        await session.run('CREATE TEMP TABLE members AS SELECT * FROM read_parquet($file)', {
          file: current.file,
        });
        await compareMembers(session, current.crowdCodes.length, crowds);
        const reader = new ChangeReader(session, current.crowdCodes.length, crowds);
        for await (const { changes } of reader.batches(7)) {
          for (const { uid, crowdCode, kind, changeTimeMs } of changes) {
            const user = Number(uid.slice(1));
            assert.equal(changeTimeMs, 1_000 + [...now.keys()].indexOf(crowdCode));
            if (kind === 'enter') store.get(crowdCode)?.add(user);
            else store.get(crowdCode)?.delete(user);
            const inDoubt = givenUp.some((members) => members.has(crowdCode));
            if (!inDoubt)
              assert.notEqual(was.get(crowdCode)?.has(user), kind === 'enter', 'a needless change');
          }
        }
        for (const [crowdCode, members] of now)
          assert.deepEqual([...(store.get(crowdCode) ?? [])].sort(), [...members].sort(), crowdCode);

        for (const [crowdCode, members] of now) {
          const before = was.get(crowdCode) ?? new Set();
          assert.deepEqual(reader.differences.get(crowdCode), {
            entered: [...members].filter((user) => !before.has(user)).length,
            left: [...before].filter((user) => !members.has(user as number)).length,
          });
        }
      }),
    ),
    { numRuns: 30 },
  );
});
