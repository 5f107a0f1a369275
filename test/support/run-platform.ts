/** What crowd runs need, all of it real, on a folder and a database; and what they leave behind, for comparison. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Catalog, openCatalog } from '../../catalog/catalog.js';
import type { PostgresConnection } from '../../catalog/embedded-postgres.js';
import type { CrowdRun, ExportRequest } from '../../catalog/types.js';
import { openEmbeddedEventBus } from '../../events/embedded/embedded-event-bus.js';
import type { EventBus, Message } from '../../events/event-bus.js';
import type { MembershipMessage } from '../../events/messages.js';
import { DEMO_CROWDS } from '../../platform/demo/crowds.js';
import { DEMO_TAGS } from '../../platform/demo/tags.js';
import { CrowdRuns } from '../../platform/runs/crowd-runs.js';
import { crowdTableFile } from '../../platform/runs/crowd-tables.js';
import { Warehouse } from '../../platform/warehouse/warehouse.js';
import { evaluateRule, parseDate, RuleChecker } from '../../rules/index.js';
import { openEmbeddedMembershipStore } from '../../stores/embedded/embedded-membership-store.js';
import type { MembershipStore } from '../../stores/membership-store.js';
import { createCatalogDatabase, TEST_ZONE } from './catalog.js';
import { startTestPostgres, type TestPostgres } from './postgres.js';

export interface RunPlatform {
  readonly catalog: Catalog;
  readonly warehouse: Warehouse;
  readonly store: MembershipStore;
  readonly bus: EventBus;
  readonly runs: CrowdRuns;
  readonly errors: unknown[];
  close(): Promise<void>;
}

/** What the data of a platform are. */
export interface Place {
  /** Laid out as the platform's data folder. */
  readonly folder: string;
  /** To a database with the newest schema. */
  readonly connection: PostgresConnection;
}

export interface RunPlatformOptions extends Place {
  /** Of DuckDB; default 1 GB. */
  readonly memoryLimitBytes?: number;
  readonly now?: () => number;
  readonly onStep?: (step: string) => void;
  /** Called before each publish of a run, which fails with what it throws. */
  readonly beforePublish?: () => void;
}

export async function openRunPlatform(options: RunPlatformOptions): Promise<RunPlatform> {
  const { folder, connection, memoryLimitBytes = 1e9, now = Date.now, onStep = () => undefined } = options;
  const catalog = openCatalog({ connection, zone: TEST_ZONE });
  const warehouse = await Warehouse.open({
    root: path.join(folder, 'warehouse'),
    zone: TEST_ZONE,
    memoryLimitBytes,
    threads: 2,
  });
  const store = openEmbeddedMembershipStore(path.join(folder, 'store'));
  const bus = openEmbeddedEventBus(path.join(folder, 'bus'));
  const errors: unknown[] = [];
  const onError = (error: unknown) => errors.push(error);
  const publish: EventBus['publish'] = async (topic, messages) => {
    options.beforePublish?.();
    await bus.publish(topic, messages);
  };
  const runs = new CrowdRuns({ catalog, warehouse, store, bus: { publish }, now, onStep, onError });
  return {
    catalog,
    warehouse,
    store,
    bus,
    runs,
    errors,
    close: async () => {
      await runs.close();
      await bus.close();
      await store.close();
      warehouse.close();
      await catalog.close();
    },
  };
}

/** A Postgres and a folder, where the platforms of a test file have their places. */
export class RunPlaces {
  readonly postgres: TestPostgres;
  readonly root: string;
  #count = 0;

  private constructor(postgres: TestPostgres, root: string) {
    this.postgres = postgres;
    this.root = root;
  }

  static async open(): Promise<RunPlaces> {
    return new RunPlaces(await startTestPostgres(), mkdtempSync(path.join(tmpdir(), 'quanren-runs-')));
  }

  /** A folder to be made, and a migrated database, that nobody has used. */
  async create(): Promise<Place> {
    this.#count += 1;
    const connection = await createCatalogDatabase(this.postgres);
    return { folder: path.join(this.root, String(this.#count)), connection };
  }

  /** A platform in a place of its own, open until `use` is done. */
  async withPlatform(
    options: Pick<RunPlatformOptions, 'now' | 'onStep'>,
    use: (platform: RunPlatform, place: Place) => Promise<void>,
  ): Promise<void> {
    const place = await this.create();
    const platform = await openRunPlatform({ ...place, ...options });
    try {
      await use(platform, place);
    } finally {
      await platform.close();
    }
  }

  async remove(): Promise<void> {
    await this.postgres.stop();
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** The demo's tags, and its crowds or those of these codes. */
export async function registerDemo(
  { catalog }: Pick<RunPlatform, 'catalog'>,
  codes: readonly string[] = DEMO_CROWDS.map(({ crowdCode }) => crowdCode),
): Promise<void> {
  for (const tag of DEMO_TAGS) await catalog.tags.save(tag, { principal: 'test', expected: 'absent' });
  for (const { crowdCode, ...definition } of DEMO_CROWDS.filter(({ crowdCode }) => codes.includes(crowdCode)))
    await catalog.crowds.save(crowdCode, definition, { principal: 'test', expected: 'absent' });
}

/** Runs crowds and waits for their end; an empty list is all. */
export async function runCrowds(
  platform: RunPlatform,
  dt: string,
  crowdCodes: readonly string[] = [],
  exportTo?: ExportRequest,
): Promise<CrowdRun[]> {
  const started = await platform.runs.start({
    crowdCodes,
    dt,
    cause: 'manual',
    requestedBy: 'test',
    ...(exportTo === undefined ? {} : { export: exportTo }),
  });
  await platform.runs.settled();
  return Promise.all(started.map(({ runId }) => platform.catalog.runs.get(runId)));
}

/** crowd code → its members by uid: the reference evaluator's word, over every row of the wide table. */
export async function referenceMembers(
  platform: RunPlatform,
  dt: string,
  crowdCodes: readonly string[] = DEMO_CROWDS.map(({ crowdCode }) => crowdCode),
): Promise<Map<string, string[]>> {
  const checker = new RuleChecker(await platform.catalog.ruleEnvironment());
  const day = parseDate(dt);
  if (day === null) throw new Error(dt);
  const { file } = await platform.warehouse.files.profilePartition(dt);
  const rows = await platform.warehouse.session((session) =>
    session.rows(
      `SELECT uid, CAST(COLUMNS(* EXCLUDE uid) AS VARCHAR) FROM read_parquet($file, hive_partitioning = false)
      ORDER BY uid`,
      { file },
    ),
  );
  const users = rows.map(({ uid, ...columns }) => ({
    uid: String(uid),
    row: new Map(Object.entries(columns) as [string, string | null][]),
  }));
  return new Map(
    crowdCodes.map((crowdCode) => {
      const checked = checker.checkCrowd(crowdCode);
      if (!checked.ok) throw new Error(crowdCode);
      const context = { zone: TEST_ZONE, anchor: { kind: 'dt', day } } as const;
      const members = users.filter(({ row }) => evaluateRule(checked.value, row, context) === true);
      return [crowdCode, members.map(({ uid }) => uid)];
    }),
  );
}

export async function storeMembers(store: MembershipStore, crowdCode: string): Promise<string[]> {
  const members = [];
  for await (const { uid } of store.scanCrowd(crowdCode)) members.push(uid);
  return members.sort();
}

export async function tableMembers(
  { warehouse }: RunPlatform,
  crowdCode: string,
  dt: string,
): Promise<string[]> {
  const rows = await warehouse.session((session) =>
    session.rows('SELECT uid FROM read_parquet($file, hive_partitioning = false)', {
      file: crowdTableFile(warehouse.files, crowdCode, dt),
    }),
  );
  return rows.map(({ uid }) => String(uid));
}

/** Everything in `membership-changes`, in order per key. */
export async function readMembershipMessages(bus: EventBus): Promise<MembershipMessage[]> {
  const seen: MembershipMessage[] = [];
  const subscription = await bus.subscribe({
    topics: ['membership-changes'],
    group: `reader-${Math.trunc(performance.now() * 1_000)}`,
    start: { from: 'earliest' },
    onBatch: async (messages: readonly Message[]) => {
      seen.push(...messages.map(({ value }) => value as MembershipMessage));
    },
    onError: (error) => {
      throw error;
    },
  });
  await subscription.caughtUp();
  await subscription.close();
  return seen;
}
