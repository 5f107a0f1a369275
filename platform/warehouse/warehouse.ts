/**
 * The warehouse: layers of Parquet files under one folder, and the DuckDB that reads and writes them. One process owns
 * the folder. Writers wait for each other; readers see a partition as it was or as it is, never half of it.
 */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../../errors/quanren-error.js';
import { dayOfBusinessDate } from './business-date.js';
import { Duck, type DuckOptions, type DuckSession } from './duck.js';
import { WarehouseFiles } from './files.js';
import { generateUsers } from './generate-users.js';
import { type LoadedPurchases, loadPurchases } from './load-purchases.js';
import { createQueue, type Queue } from './queue.js';
import { buildProfiles, PROFILE_COLUMNS } from './user-profiles.js';

export interface WarehouseOptions extends Omit<DuckOptions, 'tempDirectory'> {
  /** The folder that holds the layers; made if it is not there. */
  readonly root: string;
}

export interface UserRow {
  readonly uid: string;
  readonly dt: string;
  /** column → the text of what it holds; null is NULL. */
  readonly columns: ReadonlyMap<string, string | null>;
}

/** Loads that may wait for the one that runs; more are refused. */
const MAX_WAITING_LOADS = 16;

const TAG_COLUMNS = Object.keys(PROFILE_COLUMNS).filter((column) => column !== 'uid');

export class Warehouse {
  readonly files: WarehouseFiles;
  readonly #duck: Duck;
  readonly #loads: Queue = createQueue(MAX_WAITING_LOADS, 'loads');

  private constructor(files: WarehouseFiles, duck: Duck) {
    this.files = files;
    this.#duck = duck;
  }

  /** Takes over the folder: what a killed process left half written is removed. */
  static async open({ root, memoryLimitBytes, threads }: WarehouseOptions): Promise<Warehouse> {
    const files = new WarehouseFiles(root);
    await files.reset();
    const tempDirectory = path.join(files.temporaryFolder, 'duckdb');
    return new Warehouse(files, await Duck.open({ tempDirectory, memoryLimitBytes, threads }));
  }

  /** Runs `work` on a session of its own. */
  session<T>(work: (session: DuckSession) => Promise<T>): Promise<T> {
    return this.#duck.session(work);
  }

  /** The newest complete partition of the wide table; null before the first load. */
  async newestDt(): Promise<string | null> {
    return (await this.files.profilePartitions()).at(-1)?.dt ?? null;
  }

  /**
   * Loads a purchases file through the layers and builds the wide table of its business date: `dt`, or the newest
   * purchase date in it. May be repeated at will, also after a kill: it changes nothing then. `fileName` is what ODS records.
   * Throws `bad_request` (not a purchases file), `conflict` (the partition holds synthetic users), `overloaded`.
   */
  loadPurchases(
    file: string,
    { fileName, dt, onProgress }: LoadPurchasesOptions,
  ): Promise<LoadedPurchases & { readonly users: number }> {
    if (dt !== undefined) dayOfBusinessDate(dt);
    return this.#loads(() =>
      this.session(async (session) => {
        onProgress?.({ step: 'lines' });
        const loaded = await loadPurchases(
          session,
          this.files,
          { name: fileName, content: createReadStream(file) },
          dt,
        );
        onProgress?.({ step: 'profiles' });
        return { ...loaded, users: await buildProfiles(session, this.files, loaded.dt) };
      }),
    );
  }

  /**
   * Makes a partition of synthetic users; without `dt` the newest one is replaced. Throws `conflict` if it holds real
   * users, `bad_request`, `overloaded`.
   */
  generateUsers({
    count,
    seed,
    dt,
    onProgress,
  }: GenerateUsersOptions): Promise<{ dt: string; users: number }> {
    return this.#loads(async () => {
      const given = dt ?? (await this.newestDt());
      if (given === null) throw new QuanrenError('bad_request', 'Say which business date the users are for.');
      dayOfBusinessDate(given);
      await this.files.refuseOtherOrigin(given, 'synthetic');
      onProgress?.({ step: 'users' });
      await this.session((session) =>
        generateUsers(
          session,
          { count, seed, dt: given },
          this.files.temporaryFile(),
          this.files.profiles(given, 'synthetic'),
        ),
      );
      return { dt: given, users: count };
    });
  }

  /**
   * The wide table's row of a user, null for a user who is not in it; by default of the newest partition. Throws
   * `not_found` where there is no such partition.
   */
  async readUserRow(uid: string, dt?: string): Promise<UserRow | null> {
    const partition = await this.files.profilePartition(dt);
    const [found] = await this.session((session) =>
      session.rows(
        `SELECT ${TAG_COLUMNS.map((column) => `CAST(${column} AS VARCHAR) AS ${column}`).join(', ')}
        FROM read_parquet($file, hive_partitioning = false) WHERE uid = $uid`,
        { file: partition.file, uid },
      ),
    );
    if (found === undefined) return null;
    const columns = new Map(TAG_COLUMNS.map((column) => [column, found[column] as string | null]));
    return { uid, dt: partition.dt, columns };
  }

  close(): void {
    this.#duck.close();
  }
}

export interface LoadPurchasesOptions {
  readonly fileName: string;
  readonly dt?: string;
  readonly onProgress?: (progress: { readonly step: string }) => void;
}

export interface GenerateUsersOptions {
  /** 1 to 100,000,000. */
  readonly count: number;
  readonly seed: number;
  readonly dt?: string;
  readonly onProgress?: (progress: { readonly step: string }) => void;
}
