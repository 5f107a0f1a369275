/**
 * Carries out loads, one at a time, in the order they were asked for. A load is in the catalog before its request is
 * answered, and its file in the spool folder until it has ended: one that a crash cut short runs again from the start,
 * which changes nothing that it had done.
 */

import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Catalog } from '../../../catalog/catalog.js';
import type { Load } from '../../../catalog/types.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import type { LoadProgress, LoadReport, WarehouseService } from '../../services.js';

const MAX_UNFINISHED = 16;
const MAX_FILE_BYTES = 20 * 1024 ** 3;

export interface PurchasesOrder {
  readonly fileName: string;
  readonly dt?: string;
}

export interface SyntheticOrder {
  readonly count: number;
  readonly seed: number;
  readonly dt?: string;
}

export interface LoadRunnerOptions {
  readonly catalog: Catalog;
  readonly warehouse: WarehouseService;
  /** Of this runner alone. */
  readonly spoolFolder: string;
  /** Hears of unexpected errors. */
  readonly onError: (error: unknown) => void;
}

export interface LoadRunner {
  /** Takes the whole body, then queues. Throws `too_large`, `overloaded`, and what reading the body throws. */
  loadPurchases(body: Readable, order: PurchasesOrder, requestedBy: string): Promise<Load>;
  generateUsers(order: SyntheticOrder, requestedBy: string): Promise<Load>;
  /** Of the load that runs now; undefined for any other. */
  progressOf(loadId: number): LoadProgress | undefined;
  /** Resolves when nothing is queued or running. */
  whenIdle(): Promise<void>;
  /** Takes nothing more; resolves when the load that runs has ended. */
  close(): Promise<void>;
}

/** Takes up what a previous process left unfinished. */
export async function startLoadRunner(options: LoadRunnerOptions): Promise<LoadRunner> {
  const { catalog, spoolFolder, onError } = options;
  await mkdir(spoolFolder, { recursive: true });
  const left = await catalog.loads.unfinished();
  await removeStrays(spoolFolder, left);
  let current: { readonly loadId: number; progress: LoadProgress | undefined } | undefined;
  let isClosed = false;
  let tail: Promise<void> = Promise.resolve();

  const carryOut = async (load: Load): Promise<void> => {
    if (isClosed) return;
    const running = { loadId: load.loadId, progress: undefined as LoadProgress | undefined };
    current = running;
    try {
      await catalog.loads.begin(load.loadId);
      const onProgress = (progress: LoadProgress) => {
        running.progress = progress;
      };
      const outcome = await perform(options, load, onProgress);
      if ('error' in outcome) await catalog.loads.fail(load.loadId, outcome.error);
      else {
        const { quality, ...report } = outcome.report;
        await catalog.loads.finish(load.loadId, report, quality);
      }
      await removeSpooled(spoolFolder, load);
    } catch (error) {
      onError(error);
    } finally {
      current = undefined;
    }
  };
  const enqueue = (load: Load): Load => {
    tail = tail.then(() => carryOut(load));
    return load;
  };
  for (const load of left) enqueue(load);

  const request = async (kind: Load['kind'], details: object, requestedBy: string): Promise<Load> => {
    if (isClosed) throw new QuanrenError('unavailable', 'The platform is stopping.');
    return enqueue(
      await catalog.loads.request({
        kind,
        request: { ...details },
        requestedBy,
        maxUnfinished: MAX_UNFINISHED,
      }),
    );
  };

  return {
    async loadPurchases(body, order, requestedBy) {
      const spooled = `${randomUUID()}.purchases`;
      const file = path.join(spoolFolder, spooled);
      try {
        await pipeline(body, limitBytes, createWriteStream(file, { flags: 'wx', flush: true }));
        return await request('purchases', { ...order, spooled }, requestedBy);
      } catch (error) {
        await rm(file, { force: true });
        throw body.readableAborted
          ? new QuanrenError('bad_request', 'The connection broke before the whole file was here.', {
              cause: error,
            })
          : error;
      }
    },
    generateUsers: (order, requestedBy) => request('synthetic', order, requestedBy),
    progressOf: (loadId) => (current?.loadId === loadId ? current.progress : undefined),
    whenIdle: () => tail,
    close: () => {
      isClosed = true;
      return tail;
    },
  };
}

async function* limitBytes(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > MAX_FILE_BYTES) {
      throw new QuanrenError('too_large', `A file of more than ${MAX_FILE_BYTES} bytes: split it.`);
    }
    yield chunk;
  }
}

/** What the catalog holds of a load's request; it was written by this file. */
interface StoredRequest {
  readonly spooled?: string;
  readonly fileName?: string;
  readonly dt?: string;
  readonly count?: number;
  readonly seed?: number;
}

async function perform(
  { warehouse, spoolFolder, onError }: LoadRunnerOptions,
  load: Load,
  onProgress: (progress: LoadProgress) => void,
): Promise<{ readonly report: LoadReport } | { readonly error: string }> {
  const { spooled = '', fileName = '', dt, count = 0, seed = 0 }: StoredRequest = load.request;
  const when = dt === undefined ? { onProgress } : { onProgress, dt };
  try {
    const report =
      load.kind === 'purchases'
        ? await warehouse.loadPurchases(path.join(spoolFolder, spooled), { ...when, fileName })
        : await warehouse.generateUsers({ ...when, count, seed });
    return { report };
  } catch (error) {
    if (error instanceof QuanrenError) return { error: error.message };
    onError(error);
    return { error: 'An unexpected error; the platform’s log has more.' };
  }
}

async function removeSpooled(spoolFolder: string, load: Load): Promise<void> {
  const { spooled }: StoredRequest = load.request;
  if (spooled !== undefined) await rm(path.join(spoolFolder, spooled), { force: true });
}

/** Files of requests that were never answered. */
async function removeStrays(spoolFolder: string, unfinished: readonly Load[]): Promise<void> {
  const kept = new Set(unfinished.map(({ request }) => (request as StoredRequest).spooled));
  for (const name of await readdir(spoolFolder)) {
    if (!kept.has(name)) await rm(path.join(spoolFolder, name), { force: true });
  }
}
