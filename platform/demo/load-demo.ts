/** The first start's data: the CDNOW purchases, their tags, eight crowds, and one run of these. */
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Catalog } from '../../catalog/catalog.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { LoadRunner } from '../api/loads/load-runner.js';
import type { CrowdRuns } from '../runs/crowd-runs.js';
import { DEMO_CROWDS } from './crowds.js';
import { DEMO_TAGS } from './tags.js';

/** The last day of the purchase history. */
export const DEMO_DT = '1998-06-30';
const LOOK_EVERY_MS = 1_000;
const BY = { principal: 'demo', reason: 'The demo’s crowds', expected: 'absent' } as const;

export interface DemoOptions {
  readonly catalog: Catalog;
  readonly loads: LoadRunner;
  readonly runs: CrowdRuns;
  /** The purchases. */
  readonly file: string;
  readonly dataDir: string;
  readonly onProgress: (text: string) => void;
}

/** Does nothing where it was done before; a start that was cut short goes on where it stopped. */
export async function loadDemo({
  catalog,
  loads,
  runs,
  file,
  dataDir,
  onProgress,
}: DemoOptions): Promise<void> {
  const done = path.join(dataDir, 'demo-loaded');
  if (existsSync(done)) return;
  onProgress('Loading the CDNOW purchases …');
  const order = { fileName: path.basename(file), dt: DEMO_DT };
  const { loadId } = await loads.loadPurchases(createReadStream(file), order, BY.principal);
  await loads.whenIdle();
  const load = await catalog.loads.get(loadId);
  if (load.status !== 'done') {
    throw new QuanrenError(
      'internal',
      `The demo’s purchases are ${load.status}: ${load.error ?? 'see the log'}`,
    );
  }
  onProgress(
    `Loaded ${load.result?.purchases} purchases of ${load.result?.users} users, business date ${DEMO_DT}`,
  );

  const known = new Set(
    (await catalog.tags.list({ limit: 1_000, after: null })).items.map(({ tagCode }) => tagCode),
  );
  for (const tag of DEMO_TAGS) if (!known.has(tag.tagCode)) await catalog.tags.save(tag, BY);
  const crowds = await catalog.crowds.list({ limit: 1_000, after: null });
  const present = new Set(crowds.items.map(({ crowdCode }) => crowdCode));
  for (const { crowdCode, ...definition } of DEMO_CROWDS) {
    if (!present.has(crowdCode)) await catalog.crowds.save(crowdCode, definition, BY);
  }
  onProgress(`Computing ${DEMO_CROWDS.length} crowds …`);
  const crowdCodes = DEMO_CROWDS.map(({ crowdCode }) => crowdCode);
  const started = await runs.start({ crowdCodes, dt: DEMO_DT, cause: 'demo', requestedBy: BY.principal });
  await settled(runs, onProgress);
  for (const { runId } of started) {
    const { crowdCode, status, error } = await catalog.runs.get(runId);
    if (status !== 'committed') {
      throw new QuanrenError(
        'internal',
        `The demo’s crowd '${crowdCode}' is ${status}: ${error ?? 'no error told'}`,
      );
    }
  }
  writeFileSync(done, '');
}

/** Runs wait for a bus that is away, however long; whoever started us should know what is waited for. */
async function settled(runs: CrowdRuns, onProgress: (text: string) => void): Promise<void> {
  const look = setInterval(() => {
    if (!runs.isBehind) return;
    clearInterval(look);
    onProgress(
      'The event bus (Kafka) does not take the changes; waiting for it. The platform’s log says why.',
    );
  }, LOOK_EVERY_MS);
  try {
    await runs.settled();
  } finally {
    clearInterval(look);
  }
}
