/**
 * What a batch of runs found: `state/memberships/<batch>.parquet`, one row per user who is in at least one of its
 * crowds, with crowd bits. It never changes: a repeat of the batch goes by it, and the next runs of its crowds are
 * compared with it. It is removed when no crowd's state rests on it any more.
 *
 * That of a deletion has who was in the store when it began, and when they had entered (`change_time_ms`).
 */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { DuckParameters, DuckSession } from '../warehouse/duck.js';
import { publishFile, type WarehouseFiles } from '../warehouse/files.js';
import { crowdBit, maskColumns, printMask } from './crowd-bits.js';

const FOLDER = 'state/memberships';
/** Rows between two flushes of the appender: what it holds in memory. */
const FLUSH_ROWS = 20_000;

export interface MembershipFile {
  readonly batchId: string;
  readonly file: string;
  /** By position of their bits. */
  readonly crowdCodes: readonly string[];
}

/** A crowd and the SQL condition that is true for its members. */
export interface CrowdCondition {
  readonly crowdCode: string;
  readonly condition: string;
}

function fileOf(files: WarehouseFiles, batchId: string): string {
  return path.join(files.root, FOLDER, `${batchId}.parquet`);
}

/** The batches whose files are there. */
export async function listMembershipFiles(files: WarehouseFiles): Promise<string[]> {
  const names = await readdir(path.dirname(fileOf(files, ''))).catch(() => []);
  return names.filter((name) => name.endsWith('.parquet')).map((name) => name.slice(0, -'.parquet'.length));
}

/** Throws `internal` where the file is not there, or is none of ours. */
export async function openMembershipFile(
  session: DuckSession,
  files: WarehouseFiles,
  batchId: string,
): Promise<MembershipFile> {
  const file = fileOf(files, batchId);
  const [found] = await session
    .rows("SELECT decode(value) AS crowds FROM parquet_kv_metadata($file) WHERE decode(key) = 'crowds'", {
      file,
    })
    .catch((cause: unknown) => {
      throw new QuanrenError('internal', `The memberships of batch ${batchId} cannot be read.`, { cause });
    });
  return { batchId, file, crowdCodes: JSON.parse(String(found?.crowds)) as string[] };
}

/** One scan of the wide table for all crowds. */
export async function writeMembershipFile(
  session: DuckSession,
  files: WarehouseFiles,
  batchId: string,
  profiles: string,
  crowds: readonly CrowdCondition[],
): Promise<void> {
  const columns = maskColumns(crowds.length);
  const masks = columns.map((column) => {
    const ofColumn = crowds
      .map(({ condition }, position) => ({ ...crowdBit(position), condition }))
      .filter((crowd) => crowd.column === column);
    return `${printMask(ofColumn)} AS m${column}`;
  });
  await publishMemberships(
    session,
    files,
    batchId,
    crowds.map(({ crowdCode }) => crowdCode),
    `SELECT * FROM (SELECT uid, ${masks.join(',\n  ')} FROM read_parquet($profiles, hive_partitioning = false))
      WHERE (${columns.map((column) => `m${column}`).join(' | ')}) <> 0`,
    { profiles },
  );
}

/** Who is in one crowd by the store's word. */
export async function writeStoredMembers(
  session: DuckSession,
  files: WarehouseFiles,
  batchId: string,
  crowdCode: string,
  members: AsyncIterable<{ readonly uid: string; readonly changeTimeMs: number }>,
): Promise<void> {
  await session.run('CREATE TEMP TABLE stored (uid VARCHAR, change_time_ms BIGINT)');
  const stored = await session.appender('stored');
  let count = 0;
  try {
    for await (const { uid, changeTimeMs } of members) {
      stored.appendVarchar(uid);
      stored.appendBigInt(BigInt(changeTimeMs));
      stored.endRow();
      count += 1;
      if (count % FLUSH_ROWS === 0) stored.flushSync();
    }
  } finally {
    stored.closeSync();
  }
  const mask = printMask([{ ...crowdBit(0), condition: 'true' }]);
  const select = `SELECT uid, ${mask} AS m0, change_time_ms FROM stored`;
  await publishMemberships(session, files, batchId, [crowdCode], select);
}

/** When the last of the users in a file of `writeStoredMembers` entered, in epoch milliseconds; 0 where it has none. */
export async function readNewestChange(session: DuckSession, { file }: MembershipFile): Promise<number> {
  const [{ newest } = {}] = await session.rows(
    'SELECT coalesce(max(change_time_ms), 0) AS newest FROM read_parquet($file, hive_partitioning = false)',
    { file },
  );
  return Number(newest);
}

async function publishMemberships(
  session: DuckSession,
  files: WarehouseFiles,
  batchId: string,
  crowdCodes: readonly string[],
  select: string,
  parameters: DuckParameters = {},
): Promise<void> {
  const temporary = files.temporaryFile();
  await session.run(
    `COPY (${select}) TO $temporary (FORMAT parquet, COMPRESSION zstd, KV_METADATA { crowds: $crowds })`,
    { ...parameters, temporary, crowds: JSON.stringify(crowdCodes) },
  );
  await publishFile(temporary, fileOf(files, batchId));
}

export async function removeMembershipFile(files: WarehouseFiles, batchId: string): Promise<void> {
  await rm(fileOf(files, batchId), { force: true });
}
