/**
 * The warehouse: layers of Parquet files under one folder, and the DuckDB that reads and writes them. One process owns
 * the folder. Writers wait for each other; readers see a partition as it was or as it is, never half of it.
 */
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { CheckedRule } from '../../rules/ast.js';
import type { Tag } from '../../rules/tag.js';
import type {
  GenerateUsersOptions,
  LoadPurchasesOptions,
  LoadReport,
  PreviewOptions,
  RulePreview,
  UserRow,
  WarehouseService,
} from '../services.js';
import { dayOfBusinessDate } from './business-date.js';
import { checkLines, checkProfiles } from './check-quality.js';
import { Duck, type DuckOptions, type DuckSession } from './duck.js';
import { WarehouseFiles } from './files.js';
import { generateUsers } from './generate-users.js';
import { type LoadedPurchases, loadPurchases } from './load-purchases.js';
import { printProfileCondition } from './profile-condition.js';
import { createQueue, type Queue } from './queue.js';
import { findTypeConflict, findUnreadableTags, readProfileColumns } from './tag-columns.js';
import { buildProfiles } from './user-profiles.js';

export interface WarehouseOptions extends Omit<DuckOptions, 'tempDirectory'> {
  /** The folder that holds the layers; made if it is not there. */
  readonly root: string;
  /** The platform's time zone, an IANA name. */
  readonly zone: string;
}

/** Loads that may wait for the one that runs; more are refused. */
const MAX_WAITING_LOADS = 16;

const PREVIEW_DEADLINE_MS = 10_000;

export class Warehouse implements WarehouseService {
  readonly files: WarehouseFiles;
  readonly #duck: Duck;
  readonly #zone: string;
  readonly #loads: Queue = createQueue(MAX_WAITING_LOADS, 'loads');

  private constructor(files: WarehouseFiles, duck: Duck, zone: string) {
    this.files = files;
    this.#duck = duck;
    this.#zone = zone;
  }

  /** Takes over the folder: what a killed process left half written is removed. */
  static async open({ root, zone, memoryLimitBytes, threads }: WarehouseOptions): Promise<Warehouse> {
    const files = new WarehouseFiles(root);
    await files.reset();
    const tempDirectory = path.join(files.temporaryFolder, 'duckdb');
    return new Warehouse(files, await Duck.open({ tempDirectory, memoryLimitBytes, threads }), zone);
  }

  /** Runs `work` on a session of its own. */
  session<T>(work: (session: DuckSession) => Promise<T>): Promise<T> {
    return this.#duck.session(work);
  }

  /** The newest complete partition: of real users, or of synthetic ones where there are no others; null where none is. */
  async newestDt(): Promise<string | null> {
    if ((await this.files.profilePartitions()).length === 0) return null;
    return (await this.files.profilePartition()).dt;
  }

  /**
   * Loads a purchases file through the layers and builds the wide table of its business date: `dt`, or the newest
   * purchase date in it. May be repeated at will, also after a kill: it changes nothing then. `fileName` is what ODS records;
   * `outdated` are the later business dates, whose wide tables were built without these lines and stay as they are.
   * Throws `bad_request` (not a purchases file), `conflict` (the partition holds synthetic users), `overloaded`.
   */
  loadPurchases(
    file: string,
    { fileName, dt, onProgress }: LoadPurchasesOptions,
  ): Promise<
    LoadedPurchases & LoadReport & { readonly users: number; readonly outdated: readonly string[] }
  > {
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
        const users = await buildProfiles(session, this.files, loaded.dt);
        const partition = await this.files.profilePartition(loaded.dt);
        const quality = [...checkLines(loaded), ...(await checkProfiles(session, partition))];
        const outdated = loaded.alreadyLoaded ? [] : await this.#realPartitionsAfter(loaded.dt);
        return { ...loaded, origin: 'real', users, outdated, quality };
      }),
    );
  }

  async #realPartitionsAfter(dt: string): Promise<string[]> {
    const partitions = await this.files.profilePartitions();
    return partitions.filter((each) => each.origin === 'real' && each.dt > dt).map((each) => each.dt);
  }

  /**
   * Makes a partition of synthetic users; without `dt` the newest of such is replaced. Throws `conflict` if it holds real
   * users, `bad_request`, `overloaded`.
   */
  generateUsers({
    count,
    seed,
    dt,
    onProgress,
  }: GenerateUsersOptions): Promise<LoadReport & { readonly users: number }> {
    return this.#loads(async () => {
      const partitions = await this.files.profilePartitions();
      const given = dt ?? partitions.findLast(({ origin }) => origin === 'synthetic')?.dt;
      if (given === undefined)
        throw new QuanrenError('bad_request', 'Say which business date the users are for.');
      dayOfBusinessDate(given);
      await this.files.refuseOtherOrigin(given, 'synthetic');
      onProgress?.({ step: 'users' });
      return this.session(async (session) => {
        await generateUsers(
          session,
          { count, seed, dt: given },
          this.files.temporaryFile(),
          this.files.profiles(given, 'synthetic'),
        );
        const quality = await checkProfiles(session, await this.files.profilePartition(given));
        return { dt: given, origin: 'synthetic', users: count, quality };
      });
    });
  }

  /**
   * How many users a rule selects, and the first of them by uid. Throws `not_found` where there is no such partition,
   * `invalid_rule` where a tag cannot be read from it, `unavailable` after the deadline (by default 10 s).
   */
  async previewRule(
    rule: CheckedRule,
    { dt, sampleSize = 10, deadlineMs = PREVIEW_DEADLINE_MS }: PreviewOptions,
  ): Promise<RulePreview> {
    return this.files.readProfiles(dt, (partition) =>
      this.session(async (session) => {
        const { file } = partition;
        const columns = await readProfileColumns(session, file);
        const printed = printProfileCondition(rule, columns, { zone: this.#zone, dt: partition.dt });
        if (!printed.ok) throw new QuanrenError('invalid_rule', printed.reason);
        // Not as a WHERE clause: DuckDB's planner takes a minute over one of 10,000 conditions, and cannot be interrupted.
        const [found] = await session.rows(
          `SELECT count_if(is_member) AS users, min(uid, $atLeastOne) FILTER (WHERE is_member) AS sample
          FROM (
            SELECT uid, (${printed.condition}) AS is_member
            FROM read_parquet($file, hive_partitioning = false)
          )`,
          { file, atLeastOne: Math.max(1, sampleSize) },
          deadlineMs,
        );
        const sample = (found?.sample ?? []) as readonly string[];
        return {
          dt: partition.dt,
          origin: partition.origin,
          userCount: Number(found?.users),
          sampleUids: sample.slice(0, sampleSize),
        };
      }),
    );
  }

  /**
   * The wide table's row of a user, null for a user who is not in it; by default of the newest partition. Throws
   * `not_found` where there is no such partition, `invalid_rule` where a tag of `rule` cannot be read from it.
   */
  async readUserRow(
    uid: string,
    { dt, rule }: { readonly dt?: string | undefined; readonly rule?: CheckedRule } = {},
  ): Promise<UserRow | null> {
    return this.files.readProfiles(dt, (partition) =>
      this.session(async (session) => {
        const { file } = partition;
        const unreadable =
          rule === undefined ? [] : findUnreadableTags(rule, await readProfileColumns(session, file));
        if (unreadable.length > 0) throw new QuanrenError('invalid_rule', unreadable.join(' '));
        const [found] = await session.rows(
          `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet($file, hive_partitioning = false)
          WHERE uid = $uid`,
          { file, uid },
        );
        if (found === undefined) return null;
        const columns = new Map(Object.entries(found) as [string, string | null][]);
        return { uid, dt: partition.dt, origin: partition.origin, columns };
      }),
    );
  }

  /**
   * A sentence if the newest partition has the tag's column with a type other than the declared one; null otherwise,
   * and before the first load.
   */
  async findTypeConflict(tag: Tag): Promise<string | null> {
    if ((await this.newestDt()) === null) return null;
    return this.files.readProfiles(undefined, async ({ file }) => {
      const columns = await this.session((session) => readProfileColumns(session, file));
      return findTypeConflict(tag, columns) ?? null;
    });
  }

  close(): void {
    this.#duck.close();
  }
}
