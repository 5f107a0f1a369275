/**
 * Where the warehouse's files lie and how they come to lie there. One folder per table and business date, laid out as
 * Hive does (`ods/purchases/dt=1998-06-30/`). A file is written under `tmp/` and renamed once it is durable, so a file
 * that is seen under its name is whole, whenever the process was killed.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { UserOrigin } from '../../catalog/types.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { dayOfBusinessDate } from './business-date.js';

export type PurchaseTable = 'ods/purchases' | 'dwd/purchases' | 'dwd/purchases_rejected';

const PROFILE_TABLE = 'dws/user_profile_wide';
const PROFILE_FILES: Readonly<Record<UserOrigin, string>> = {
  real: 'profiles.parquet',
  synthetic: 'profiles.synthetic.parquet',
};
const PARTITION = /^dt=(\d{4}-\d{2}-\d{2})$/;

/** A complete partition of the wide table. */
export interface ProfilePartition {
  readonly dt: string;
  readonly origin: UserOrigin;
  readonly file: string;
}

async function syncPath(target: string): Promise<void> {
  const handle = await open(target, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a finished file durable and gives it its name, in place of what had it. Both are on one file system. */
export async function publishFile(temporary: string, file: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await syncPath(temporary);
  await rename(temporary, file);
  await syncPath(path.dirname(file));
}

/**
 * As `mkdir -p`. Node's own `recursive` never returns under /proc, where making a folder fails with ENOENT although its
 * parent is there. Throws the error of the file system.
 */
export async function makeFolder(folder: string): Promise<void> {
  const missing: string[] = [];
  for (let at = path.resolve(folder); !existsSync(at); at = path.dirname(at)) missing.unshift(at);
  for (const each of missing) {
    try {
      await mkdir(each);
    } catch (error) {
      // Someone else may have made it meanwhile.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

/** Removes a folder and all in it, durably, if it is there. */
export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.dirname(folder), { recursive: true });
  await syncPath(path.dirname(folder));
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

export class WarehouseFiles {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get temporaryFolder(): string {
    return path.join(this.root, 'tmp');
  }

  /** A name that no file has, for a file that is still being written. */
  temporaryFile(): string {
    return path.join(this.temporaryFolder, `${randomUUID()}.parquet`);
  }

  /** Removes what a killed process left half written. Only the owner of the data folder may call it. */
  async reset(): Promise<void> {
    await rm(this.temporaryFolder, { recursive: true, force: true });
    await mkdir(this.temporaryFolder, { recursive: true });
  }

  /** The file of one loaded purchases file in a table; named by the content hash, so loading it again replaces it. */
  purchases(table: PurchaseTable, dt: string, fileHash: string): string {
    return path.join(this.root, table, `dt=${dt}`, `${fileHash}.parquet`);
  }

  /** Every loaded file of a table, oldest business date first. */
  async purchaseFiles(table: PurchaseTable): Promise<{ dt: string; fileHash: string; file: string }[]> {
    const found = [];
    for (const partition of await this.#partitions(table)) {
      for (const name of await namesIn(partition.folder)) {
        if (!name.endsWith('.parquet')) continue;
        found.push({
          dt: partition.dt,
          fileHash: name.slice(0, -'.parquet'.length),
          file: path.join(partition.folder, name),
        });
      }
    }
    return found;
  }

  profiles(dt: string, origin: UserOrigin): string {
    return path.join(this.root, PROFILE_TABLE, `dt=${dt}`, PROFILE_FILES[origin]);
  }

  /** The complete partitions of the wide table, oldest first. */
  async profilePartitions(): Promise<ProfilePartition[]> {
    const found: ProfilePartition[] = [];
    for (const { dt, folder } of await this.#partitions(PROFILE_TABLE)) {
      const names = await namesIn(folder);
      for (const origin of ['real', 'synthetic'] as const) {
        const name = PROFILE_FILES[origin];
        if (names.includes(name)) found.push({ dt, origin, file: path.join(folder, name) });
      }
    }
    return found;
  }

  /**
   * The partition of a business date, or the newest one: of real users, or of synthetic ones where there are no others.
   * Throws `not_found` where there is none.
   */
  async profilePartition(dt?: string): Promise<ProfilePartition> {
    if (dt !== undefined) dayOfBusinessDate(dt);
    const partitions = await this.profilePartitions();
    const found =
      dt === undefined
        ? (partitions.findLast(({ origin }) => origin === 'real') ?? partitions.at(-1))
        : partitions.find((partition) => partition.dt === dt);
    if (found !== undefined) return found;
    const which = dt === undefined ? 'no partition yet' : `no partition for ${dt}`;
    throw new QuanrenError(
      'not_found',
      `The wide table has ${which}: load purchases or generate users first.`,
    );
  }

  /**
   * Reads such a partition as it is now. DuckDB opens a file once per thread, so one
   * that is replaced meanwhile would be read half and half: `use` gets a link of its own to the file.
   */
  async readProfiles<T>(
    dt: string | undefined,
    use: (partition: ProfilePartition) => Promise<T>,
  ): Promise<T> {
    const partition = await this.profilePartition(dt);
    const file = this.temporaryFile();
    await link(partition.file, file);
    try {
      return await use({ ...partition, file });
    } finally {
      await rm(file);
    }
  }

  /** Throws `conflict` if the partition already holds users of the other origin. */
  async refuseOtherOrigin(dt: string, origin: UserOrigin): Promise<void> {
    const existing = (await this.profilePartitions()).find((partition) => partition.dt === dt);
    if (existing === undefined || existing.origin === origin) return;
    throw new QuanrenError(
      'conflict',
      `The wide table of ${dt} holds ${existing.origin} users, and ${origin} ones would replace them: choose another dt.`,
    );
  }

  async #partitions(table: string): Promise<{ dt: string; folder: string }[]> {
    const folder = path.join(this.root, table);
    return (await namesIn(folder)).flatMap((name) => {
      const dt = PARTITION.exec(name)?.[1];
      return dt === undefined ? [] : [{ dt, folder: path.join(folder, name) }];
    });
  }
}
