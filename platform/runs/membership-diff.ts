/**
 * What a batch of runs changes in the store: its members against those that the store may hold by earlier runs.
 *
 * For each crowd these are the members of its last committed run, and those of any run that was given up after it and
 * may have written some of its changes. A user on whom they all agree with the new members needs no change; every
 * other gets one, whatever it was that the store took of them.
 */
import type { MembershipChange } from '../../stores/membership-store.js';
import type { DuckSession } from '../warehouse/duck.js';
import { crowdBit, maskColumns, printIsMember, printMask } from './crowd-bits.js';
import type { MembershipFile } from './membership-file.js';

/** A crowd that is written to the store, and the files that its state there may come from. */
export interface ComparedCrowd {
  readonly crowdCode: string;
  /** Of its bit in the session's table `members`. */
  readonly position: number;
  readonly changeTimeMs: number;
  /** The last committed run's; null before the first. */
  readonly committed: MembershipFile | null;
  readonly givenUp: readonly MembershipFile[];
}

export interface CrowdDifference {
  /** Against the last committed run. */
  readonly entered: number;
  readonly left: number;
}

interface Base {
  readonly file: MembershipFile;
  readonly kind: 'committed' | 'given-up';
  readonly crowds: ComparedCrowd[];
}

function basesOf(crowds: readonly ComparedCrowd[]): Base[] {
  const bases = new Map<string, Base>();
  const add = (crowd: ComparedCrowd, file: MembershipFile, kind: Base['kind']) => {
    const key = `${kind} ${file.batchId}`;
    const base = bases.get(key) ?? { file, kind, crowds: [] };
    base.crowds.push(crowd);
    bases.set(key, base);
  };
  for (const crowd of crowds) {
    if (crowd.committed !== null) add(crowd, crowd.committed, 'committed');
    for (const file of crowd.givenUp) add(crowd, file, 'given-up');
  }
  return [...bases.values()];
}

/** The bits of these crowds within one mask column. */
function selector(crowds: readonly ComparedCrowd[], column: number): number {
  return crowds
    .map(({ position }) => crowdBit(position))
    .reduce((mask, at) => (at.column === column ? mask | at.bit : mask), 0);
}

/** A base's rows with its crowds' bits moved to where `members` has them. */
function printBase({ file, crowds }: Base, parameter: string, columns: readonly number[]): string {
  const masks = columns.map((column) => {
    const ofColumn = crowds
      .map((crowd) => ({ ...crowdBit(crowd.position), crowdCode: crowd.crowdCode }))
      .filter((at) => at.column === column)
      .map(({ bit, crowdCode }) => ({ bit, condition: printIsMember(file.crowdCodes.indexOf(crowdCode)) }));
    return `${printMask(ofColumn)} AS m${column}`;
  });
  return `(SELECT uid, ${masks.join(', ')} FROM read_parquet($${parameter}, hive_partitioning = false))`;
}

/**
 * Compares the session's table `members` and makes its table `changes`: uid, and for each mask column n: `now<n>`, the
 * bits of the crowds that the user is in; `was<n>`, those of the committed runs; `changed<n>`, those to be written.
 * Returns the number of users in it.
 */
export async function compareMembers(
  session: DuckSession,
  crowdCount: number,
  crowds: readonly ComparedCrowd[],
): Promise<number> {
  const columns = maskColumns(crowdCount);
  const bases = basesOf(crowds).map((base, index) => ({ ...base, name: `base${index}` }));
  const joins = bases.map(
    (base) => `FULL JOIN ${printBase(base, base.name, columns)} AS ${base.name} USING (uid)`,
  );
  const bitsOf = (name: string, column: number) => `coalesce(${name}.m${column}, 0)`;
  const masks = columns.flatMap((column) => {
    const now = `(${bitsOf('members', column)} & ${selector(crowds, column)})`;
    const committed = bases.filter((base) => base.kind === 'committed');
    const was = `(${['0', ...committed.map(({ name }) => bitsOf(name, column))].join(' | ')})`;
    const doubtful = bases
      .filter((base) => base.kind === 'given-up')
      .map((base) => `(xor(${now}, ${bitsOf(base.name, column)}) & ${selector(base.crowds, column)})`);
    return [
      `${now} AS now${column}`,
      `${was} AS was${column}`,
      `(${[`xor(${now}, ${was})`, ...doubtful].join(' | ')}) AS changed${column}`,
    ];
  });
  await session.run(
    `CREATE TEMP TABLE changes AS
    SELECT * FROM (SELECT uid, ${masks.join(',\n  ')} FROM members ${joins.join('\n')})
    WHERE ${columns.map((column) => `changed${column} <> 0`).join(' OR ')}`,
    Object.fromEntries(bases.map(({ name, file }) => [name, file.file])),
  );
  const [{ users } = {}] = await session.rows('SELECT count(*) AS users FROM changes');
  return Number(users);
}

/** How many entered and left each crowd since its last committed run. */
export async function countDifferences(
  session: DuckSession,
  crowds: readonly ComparedCrowd[],
): Promise<Map<string, CrowdDifference>> {
  const counts = crowds.flatMap(({ position }) => {
    const { column, bit } = crowdBit(position);
    const is = (mask: string) => `(${mask}${column} & ${bit}) <> 0`;
    return [
      `count(*) FILTER (${is('now')} AND NOT ${is('was')}) AS entered${position}`,
      `count(*) FILTER (${is('was')} AND NOT ${is('now')}) AS left${position}`,
    ];
  });
  if (counts.length === 0) return new Map();
  const [row = {}] = await session.rows(`SELECT ${counts.join(', ')} FROM changes`);
  return new Map(
    crowds.map(({ crowdCode, position }) => [
      crowdCode,
      { entered: Number(row[`entered${position}`]), left: Number(row[`left${position}`]) },
    ]),
  );
}

/** The changes of the table `changes`, all those of a user in one batch, in batches of about `batchSize`. */
export async function* readChanges(
  session: DuckSession,
  crowdCount: number,
  crowds: readonly ComparedCrowd[],
  batchSize: number,
): AsyncGenerator<MembershipChange[]> {
  const columns = maskColumns(crowdCount);
  const byColumn = columns.map((column) =>
    crowds
      .map((crowd) => ({ ...crowdBit(crowd.position), crowd }))
      .filter((at) => at.column === column)
      .map(({ bit, crowd: { crowdCode, changeTimeMs } }) => ({ bit, crowdCode, changeTimeMs })),
  );
  const masks = columns.map((column) => `now${column}, changed${column}`);
  let batch: MembershipChange[] = [];
  for await (const chunk of session.chunks(`SELECT uid, ${masks.join(', ')} FROM changes`)) {
    const uids = chunk.getColumnValues(0) as string[];
    const values = columns.map((column) => ({
      now: chunk.getColumnValues(1 + 2 * column) as number[],
      changed: chunk.getColumnValues(2 + 2 * column) as number[],
    }));
    for (const [row, uid] of uids.entries()) {
      for (const [column, { now, changed }] of values.entries()) {
        const changedBits = changed[row] ?? 0;
        if (changedBits === 0) continue;
        for (const { bit, crowdCode, changeTimeMs } of byColumn[column] ?? []) {
          if ((changedBits & bit) === 0) continue;
          const kind = ((now[row] ?? 0) & bit) === 0 ? 'leave' : 'enter';
          batch.push({ uid, crowdCode, kind, changeTimeMs });
        }
      }
      if (batch.length >= batchSize) {
        yield batch;
        batch = [];
      }
    }
  }
  if (batch.length > 0) yield batch;
}
