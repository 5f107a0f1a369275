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
  const moves = crowds.map(({ crowdCode, position }) => {
    const fromPosition = file.crowdCodes.indexOf(crowdCode);
    return { to: crowdBit(position), from: crowdBit(fromPosition), fromPosition };
  });
  const masks = columns.map((column) => {
    const ofColumn = moves.filter(({ to }) => to.column === column);
    // Mostly the same crowds ran together the last time, and all bits lie where they lay.
    const kept = ofColumn.filter(({ to, from }) => from.column === column && from.bit === to.bit);
    const moved = ofColumn.filter((move) => !kept.includes(move));
    const keptBits = kept.reduce((mask, { to }) => mask | to.bit, 0);
    const movedBits = printMask(
      moved.map(({ to, fromPosition }) => ({ bit: to.bit, condition: printIsMember(fromPosition) })),
    );
    return `${keptBits === 0 ? '' : `(m${column} & ${keptBits}) | `}${movedBits} AS m${column}`;
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

/** The table `changes` as changes for the store. */
export class ChangeReader {
  readonly #session: DuckSession;
  readonly #columns: readonly number[];
  /** By mask column. */
  readonly #crowds: readonly (readonly {
    bit: number;
    crowd: ComparedCrowd;
    difference: Mutable<CrowdDifference>;
  }[])[];
  /** By crowd code; complete when the last batch has been read. */
  readonly differences: ReadonlyMap<string, CrowdDifference>;

  constructor(session: DuckSession, crowdCount: number, crowds: readonly ComparedCrowd[]) {
    const differences = new Map(crowds.map(({ crowdCode }) => [crowdCode, { entered: 0, left: 0 }]));
    this.#session = session;
    this.#columns = maskColumns(crowdCount);
    this.#crowds = this.#columns.map((column) =>
      crowds.flatMap((crowd) => {
        const at = crowdBit(crowd.position);
        const difference = differences.get(crowd.crowdCode);
        return at.column === column && difference !== undefined ? [{ bit: at.bit, crowd, difference }] : [];
      }),
    );
    this.differences = differences;
  }

  /** All changes of a user are in one batch; a batch has about `batchSize` changes. */
  async *batches(batchSize: number): AsyncGenerator<{ changes: MembershipChange[]; users: number }> {
    const masks = this.#columns.map((column) => `now${column}, was${column}, changed${column}`);
    let batch = { changes: [] as MembershipChange[], users: 0 };
    for await (const chunk of this.#session.chunks(`SELECT uid, ${masks.join(', ')} FROM changes`)) {
      const uids = chunk.getColumnValues(0) as string[];
      const values = this.#columns.map((column) => ({
        now: chunk.getColumnValues(1 + 3 * column) as number[],
        was: chunk.getColumnValues(2 + 3 * column) as number[],
        changed: chunk.getColumnValues(3 + 3 * column) as number[],
      }));
      for (const [row, uid] of uids.entries()) {
        for (const [column, { now, was, changed }] of values.entries())
          this.#addChanges(batch.changes, uid, column, now[row] ?? 0, was[row] ?? 0, changed[row] ?? 0);
        batch.users += 1;
        if (batch.changes.length < batchSize) continue;
        yield batch;
        batch = { changes: [], users: 0 };
      }
    }
    if (batch.users > 0) yield batch;
  }

  #addChanges(
    changes: MembershipChange[],
    uid: string,
    column: number,
    now: number,
    was: number,
    changed: number,
  ) {
    if (changed === 0) return;
    for (const { bit, crowd, difference } of this.#crowds[column] ?? []) {
      if ((changed & bit) === 0) continue;
      const isMember = (now & bit) !== 0;
      const { crowdCode, changeTimeMs } = crowd;
      changes.push({ uid, crowdCode, kind: isMember ? 'enter' : 'leave', changeTimeMs });
      if (((now ^ was) & bit) === 0) continue;
      if (isMember) difference.entered += 1;
      else difference.left += 1;
    }
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
