/**
 * What waits for one region server. What comes within one turn of the event loop leaves together, in Multis of at most
 * `MAX_BATCH` rows, of which at most `MAX_IN_FLIGHT` are under way, and of their rows no more than a limit that follows
 * the server's latency; the rest waits, and is bounded.
 *
 * A small Multi costs both sides nearly as much as a big one, so a Multi leaves once it is full or as many rows wait as are
 * under way, as by Nagle's algorithm small packets do: a row that is alone leaves at once, few rows that are asked for all
 * the time go in two Multis by turns, and none is held back for longer than `MAX_HOLD_MS`.
 *
 * The numbers measured best over a million rows (bench/hbase.bench.ts).
 */
import { ConcurrencyLimit } from '../../concurrency-limit.js';
import type { StoreServer } from '../../store-server.js';
import { RemoteException } from '../connection/remote-exception.js';
import type { ServerLink } from '../connection/server-link.js';
import type { Region } from '../locate/region.js';
import { type RegionActions, type RowAction, writeMultiRequest } from '../wire/messages/multi-request.js';
import { ActionFailure, type RegionResult, readMultiResponse } from '../wire/messages/multi-response.js';
import type { RemoteFailure } from '../wire/messages/remote-failure.js';
import type { Operation } from './operation.js';

const MAX_BATCH = 256;
const MIN_BATCH = 32;
/** Many rows go in so many Multis at least, so that the server is busy with some while others are made and read. */
const PARTS = 4;
const MAX_IN_FLIGHT = 8;
/** Rows wait for others to go with for so long at most. */
const MAX_HOLD_MS = 2;
/** While there is room for less than this, and more waits, nothing leaves: small Multis cost as much as big ones. */
const MIN_ROOM = 32;
const ROWS = {
  least: MAX_BATCH,
  most: MAX_BATCH * MAX_IN_FLIGHT,
  first: MAX_BATCH * MAX_IN_FLIGHT,
  slackMs: 50,
};

export interface ServerQueueOptions {
  readonly link: () => ServerLink;
  /** While so many or more wait, those whose callers have given up are let go. */
  readonly maxWaiting: number;
  readonly callTimeoutMs: number;
  /** Operations that were not done, and why. `isRest`: the server did others of the same call, and not yet these. */
  readonly onFailure: (operations: readonly Operation[], error: unknown, isRest?: boolean) => void;
  /** An operation whose region is elsewhere by now: it was not sent. */
  readonly onMoved: (operation: Operation) => void;
  readonly isCurrent: (region: Region) => boolean;
}

/** The server says nothing about an action. */
const LOST = new ActionFailure({ className: '', stackTrace: 'A result is missing.', doNotRetry: false });

/** The operations of a Multi that go to the same region, in the order of their actions. */
interface RegionBatch extends RegionActions {
  readonly actions: RowAction[];
  readonly operations: Operation[];
}

export class ServerQueue {
  readonly #options: ServerQueueOptions;
  #waiting: Operation[] = [];
  /** How many of `#waiting` have left already. */
  #taken = 0;
  readonly #limit = new ConcurrencyLimit(ROWS);
  #inFlight = 0;
  #isScheduled = false;
  #isHeld = false;
  #usedAtMs = performance.now();

  constructor(options: ServerQueueOptions) {
    this.#options = options;
  }

  get state(): Omit<StoreServer, 'name'> {
    return {
      rowsInFlight: this.#limit.inFlight,
      rowLimit: this.#limit.limit,
      rowsWaiting: this.waiting,
      isAway: this.#options.link().isAway,
    };
  }

  /** Whether nothing waits or is under way, and nothing has been since `timeMs`. */
  isIdleSince(timeMs: number): boolean {
    return this.waiting === 0 && this.#inFlight === 0 && this.#usedAtMs < timeMs;
  }

  get waiting(): number {
    return this.#waiting.length - this.#taken;
  }

  /** `operation.region` says where to. Of those who still wait the dispatcher takes no more than `maxWaiting`. */
  push(operation: Operation): void {
    if (this.waiting >= this.#options.maxWaiting) {
      this.#waiting = this.#waiting.slice(this.#taken).filter((each) => !each.group.isSettled);
      this.#taken = 0;
    }
    this.#waiting.push(operation);
    if (this.#isScheduled) return;
    if (this.#isEnough() && this.#hasRoom()) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#flush();
      });
    } else this.#hold();
  }

  #flush(): void {
    while (this.waiting > 0 && this.#isEnough() && this.#hasRoom()) this.#sendBatch();
    if (this.waiting > 0) this.#hold();
  }

  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    setTimeout(() => {
      this.#isHeld = false;
      if (this.waiting > 0 && this.#hasRoom()) this.#sendBatch();
      this.#flush();
    }, MAX_HOLD_MS);
  }

  #isEnough(): boolean {
    return this.waiting >= Math.min(this.#batchSize, this.#limit.inFlight);
  }

  get #batchSize(): number {
    const rows = this.waiting + this.#limit.inFlight;
    return Math.max(MIN_BATCH, Math.min(MAX_BATCH, Math.ceil(rows / PARTS)));
  }

  #hasRoom(): boolean {
    const room = this.#limit.limit - this.#limit.inFlight;
    return this.#inFlight < MAX_IN_FLIGHT && room >= Math.min(this.waiting, MIN_ROOM);
  }

  #sendBatch(): void {
    const batches = this.#takeBatch();
    if (batches.length > 0) void this.#send(batches);
  }

  #takeBatch(): RegionBatch[] {
    const batches: RegionBatch[] = [];
    const byRegion = new Map<Region, RegionBatch>();
    const size = this.#batchSize;
    let count = 0;
    while (count < size && this.#taken < this.#waiting.length) {
      const operation = this.#waiting[this.#taken];
      this.#taken += 1;
      if (operation?.region === undefined || operation.group.isSettled) continue;
      const { region, action } = operation;
      const hasCondition = action.kind === 'mutate' && action.condition !== undefined;
      let batch = hasCondition ? undefined : byRegion.get(region);
      if (batch === undefined && !this.#options.isCurrent(region)) {
        this.#options.onMoved(operation);
        continue;
      }
      if (!this.#limit.tryAcquire()) {
        this.#taken -= 1;
        break;
      }
      count += 1;
      if (batch === undefined) {
        batch = { regionName: region.name, actions: [], operations: [] };
        batches.push(batch);
        if (!hasCondition) byRegion.set(region, batch);
      }
      batch.actions.push(action);
      batch.operations.push(operation);
    }
    if (this.#taken === this.#waiting.length) {
      this.#waiting = [];
      this.#taken = 0;
    }
    return batches;
  }

  async #send(batches: readonly RegionBatch[]): Promise<void> {
    const startedMs = performance.now();
    let hasFailed = false;
    this.#inFlight += 1;
    this.#usedAtMs = performance.now();
    try {
      const results = await this.#options.link().call({
        method: 'Multi',
        write: (writer) => writeMultiRequest(writer, batches),
        read: (reader, cells) => readMultiResponse(reader, cells, batches),
        timeoutMs: this.#timeoutMs(batches),
      });
      for (const [i, batch] of batches.entries()) this.#settle(batch, results[i], results);
    } catch (error) {
      hasFailed = true;
      this.#options.onFailure(
        batches.flatMap(({ operations }) => operations),
        error,
      );
    } finally {
      this.#inFlight -= 1;
      const rows = batches.reduce((sum, { actions }) => sum + actions.length, 0);
      this.#limit.release(rows, performance.now() - startedMs, hasFailed, performance.now());
      this.#flush();
    }
  }

  /** No longer than the last caller waits. */
  #timeoutMs(batches: readonly RegionBatch[]): number {
    let lastMs = 0;
    for (const { operations } of batches) {
      for (const { group } of operations) lastMs = Math.max(lastMs, group.deadlineAtMs);
    }
    return Math.max(1, Math.min(this.#options.callTimeoutMs, lastMs - performance.now()));
  }

  #settle(
    { operations }: RegionBatch,
    region: RegionResult | undefined,
    ofAll: readonly RegionResult[],
  ): void {
    if (region?.failure !== undefined) {
      this.#options.onFailure(operations, new RemoteException(region.failure));
      return;
    }
    let failed:
      | Map<string, { readonly operations: Operation[]; readonly failure: RemoteFailure }>
      | undefined;
    let i = 0;
    for (const operation of operations) {
      const { action } = operation;
      const isConditional = action.kind === 'mutate' && action.condition !== undefined;
      const result = region?.results[i] ?? (isConditional ? true : LOST);
      i += 1;
      if (result instanceof ActionFailure) {
        const { failure } = result;
        failed ??= new Map();
        const alike = failed.get(failure.className);
        if (alike === undefined) failed.set(failure.className, { operations: [operation], failure });
        else alike.operations.push(operation);
      } else if (isConditional) operation.group.succeed(operation.index, region?.hasProcessed === true);
      else operation.group.succeed(operation.index, action.kind === 'get' ? result : true);
    }
    if (failed === undefined) return;
    for (const each of failed.values()) {
      const error = new RemoteException(each.failure);
      const isRest = error.className === 'MultiActionResultTooLarge' && hasDoneSome(ofAll);
      this.#options.onFailure(each.operations, error, isRest);
    }
  }
}

function hasDoneSome(regions: readonly RegionResult[]): boolean {
  return regions.some(({ results }) =>
    results.some((each) => each !== undefined && !(each instanceof ActionFailure)),
  );
}
