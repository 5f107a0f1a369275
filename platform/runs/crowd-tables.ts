/**
 * A crowd's members as files: its table ADS `ads/crowd_uid_<crowd>/dt=<dt>/members.parquet`, and the files it is exported
 * to. All have one column, `uid`, in the order of the wide table.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { DuckSession } from '../warehouse/duck.js';
import { makeFolder, publishFile, removeFolder, type WarehouseFiles } from '../warehouse/files.js';
import { printIsMember } from './crowd-bits.js';

export type ExportFormat = 'csv' | 'parquet';

const COPY_OPTIONS: Readonly<Record<ExportFormat, string>> = {
  csv: 'FORMAT csv, HEADER true',
  parquet: 'FORMAT parquet, COMPRESSION zstd',
};

function crowdTableFolder(files: WarehouseFiles, crowdCode: string): string {
  return path.join(files.root, 'ads', `crowd_uid_${crowdCode}`);
}

/** The file of a crowd's table for a business date. */
export function crowdTableFile(files: WarehouseFiles, crowdCode: string, dt: string): string {
  return path.join(crowdTableFolder(files, crowdCode), `dt=${dt}`, 'members.parquet');
}

/** Removes a crowd's table, every business date of it. Files that it was exported to stay. */
export function removeCrowdTable(files: WarehouseFiles, crowdCode: string): Promise<void> {
  return removeFolder(crowdTableFolder(files, crowdCode));
}

/** From the session's table `members`; returns how many there are. `temporary` and `file` are on one file system. */
async function copyMembers(
  session: DuckSession,
  position: number,
  format: ExportFormat,
  temporary: string,
  file: string,
): Promise<number> {
  const [{ Count } = {}] = await session.rows(
    `COPY (SELECT uid FROM members WHERE ${printIsMember(position)}) TO $temporary (${COPY_OPTIONS[format]})`,
    { temporary },
  );
  await publishFile(temporary, file);
  return Number(Count);
}

export function writeCrowdTable(
  session: DuckSession,
  files: WarehouseFiles,
  crowd: { readonly crowdCode: string; readonly position: number; readonly dt: string },
): Promise<number> {
  const file = crowdTableFile(files, crowd.crowdCode, crowd.dt);
  return copyMembers(session, crowd.position, 'parquet', files.temporaryFile(), file);
}

/** Writes `<folder>/<crowd>_<dt>.<format>`, in place of a file of that name. The folder is made if it is not there. */
export async function exportCrowd(
  session: DuckSession,
  crowd: { readonly crowdCode: string; readonly position: number; readonly dt: string },
  { format, folder }: { readonly format: ExportFormat; readonly folder: string },
): Promise<void> {
  await makeFolder(folder);
  const name = `${crowd.crowdCode}_${crowd.dt}.${format}`;
  const temporary = path.join(folder, `.${name}.part`);
  // What a killed run left there, or a link that someone laid, which would lead the writing elsewhere.
  await rm(temporary, { force: true });
  await copyMembers(session, crowd.position, format, temporary, path.join(folder, name));
}
