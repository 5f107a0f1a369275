/**
 * Brings operations to the region servers that can do them, and again when they could not: each operation is waiting for
 * its region to be found, waiting in a server's queue, under way, or waiting for another attempt; and ends at the latest
 * with its deadline.
 */

import { QuanrenError } from '../../../errors/quanren-error.js';
import type { StoreServer } from '../../store-server.js';
import { ConnectionError } from '../connection/connection-error.js';
import type { ServerLinks } from '../connection/server-links.js';
import type { Region } from '../locate/region.js';
import type { RegionLocator } from '../locate/region-locator.js';
import type { ByteString } from '../wire/byte-string.js';
import { readCells } from '../wire/cell-block.js';
import type { RowAction } from '../wire/messages/multi-request.js';
import type { TableName } from '../wire/messages/table-name.js';
import { Deadlines } from './deadlines.js';
import { causeOf, isAway, remedyOf, waitMs } from './failures.js';
import { Operation, OperationGroup, type OperationGroupOptions, type Outcome } from './operation.js';
import { Outages } from './outages.js';
import { ServerQueue } from './server-queue.js';

export interface DispatcherOptions {
  readonly links: ServerLinks;
  readonly locator: RegionLocator;
  /** Operations that may be unfinished at once; more are refused with `overloaded`. */
  readonly maxOperations: number;
  readonly callTimeoutMs: number;
  readonly onRetry: (cause: string, operations: number) => void;
}

/** A probe of what is away; then comes another. */
const PROBE_TIMEOUT_MS = 500;
/** A server not asked for this long is forgotten when another appears: most likely it is the old one's successor. */
const FORGET_AFTER_MS = 600_000;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #queues = new Map<string, ServerQueue>();
  readonly #deadlines = new Deadlines<OperationGroup>();
  readonly #unlocated = new Map<TableName, Operation[]>();
  readonly #outages = new Outages((table, row) => this.#probe(table, row));
  #unfinished = 0;
  #isClosed = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** One outcome per action, in their order. Rejects with QuanrenError as soon as one of them fails for good, unless they fail apart. */
  run(actions: readonly RowAction[], options: OperationGroupOptions): Promise<Outcome[]> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new QuanrenError('unavailable', 'The HBase client is closed.');
      if (options.timeoutMs <= 0) throw new QuanrenError('unavailable', 'The deadline has passed.');
      if (this.#unfinished + actions.length > this.#options.maxOperations) {
        throw new QuanrenError('overloaded', `More than ${this.#options.maxOperations} rows wait for HBase.`);
      }
      if (actions.length === 0) {
        resolve([]);
        return;
      }
      const group = new OperationGroup(actions.length, options, resolve, reject, this.#onSettled);
      this.#unfinished += actions.length;
      this.#deadlines.add(group);
      let index = 0;
      for (const action of actions) {
        this.#route(new Operation(group, index, action));
        index += 1;
      }
    });
  }

  servers(): StoreServer[] {
    return Array.from(this.#queues, ([name, queue]) => ({ name, ...queue.state }));
  }

  /** Whoever still waits is told `unavailable`. */
  close(): void {
    this.#isClosed = true;
    this.#outages.close();
    for (const group of this.#deadlines.items()) {
      group.fail(new QuanrenError('unavailable', 'The HBase client was closed.'));
    }
  }

  readonly #onSettled = (group: OperationGroup): void => {
    this.#unfinished -= group.size;
    this.#deadlines.remove(group);
  };

  #route(operation: Operation): void {
    const { group, action } = operation;
    if (group.isSettled) return;
    const region = this.#options.locator.find(group.table, action.row);
    if (group.failsFast) {
      const refusal = this.#outages.refusalOf(group.table, action.row, region !== undefined);
      if (refusal !== undefined) {
        group.failOne(operation.index, refusal);
        return;
      }
    }
    if (region === undefined) {
      this.#locate(operation);
      return;
    }
    operation.region = region;
    this.#queueOf(region).push(operation);
  }

  /** Those that wait for regions of the same table wait together. */
  #locate(operation: Operation): void {
    const { table } = operation.group;
    const waiting = this.#unlocated.get(table);
    if (waiting !== undefined) {
      waiting.push(operation);
      return;
    }
    const operations = [operation];
    this.#unlocated.set(table, operations);
    this.#options.locator.refresh(table).then(
      () => {
        this.#unlocated.delete(table);
        const { locator } = this.#options;
        const found: Operation[] = [];
        const away: Operation[] = [];
        for (const each of operations) {
          (locator.find(table, each.action.row) === undefined ? away : found).push(each);
        }
        for (const each of found) this.#route(each);
        if (away.length > 0)
          this.#again(away, new ConnectionError('refused', 'A region is not open anywhere.'));
      },
      (error: unknown) => {
        this.#unlocated.delete(table);
        this.#again(operations, error);
      },
    );
  }

  #queueOf({ server, serverName }: Region): ServerQueue {
    let queue = this.#queues.get(serverName);
    if (queue === undefined) {
      this.#forgetOldServers();
      const { links, locator, maxOperations, callTimeoutMs } = this.#options;
      queue = new ServerQueue({
        link: () => links.to(server, 'ClientService'),
        maxWaiting: maxOperations,
        callTimeoutMs,
        onFailure: (operations, error, isRest) => this.#again(operations, error, isRest),
        onMoved: (operation) => this.#route(operation),
        isCurrent: (region) => locator.holds(region),
      });
      this.#queues.set(serverName, queue);
    }
    return queue;
  }

  #forgetOldServers(): void {
    const beforeMs = performance.now() - FORGET_AFTER_MS;
    for (const [key, queue] of this.#queues) if (queue.isIdleSince(beforeMs)) this.#queues.delete(key);
  }

  #probe(table: TableName, row: ByteString): Promise<unknown> {
    const action = { kind: 'get' as const, row, projection: {}, read: readCells };
    return this.run([action], { table, timeoutMs: PROBE_TIMEOUT_MS, failsFast: false, failsApart: false });
  }

  /** Decides, for operations that failed together, whether there is another attempt. What is the rest of a call has not failed. */
  #again(operations: readonly Operation[], error: unknown, isRest = false): void {
    const remedy = remedyOf(error);
    const isLasting = error instanceof ConnectionError && error.isLasting;
    const isOutage = isAway(error);
    const retried = new Map<number, Operation[]>();
    for (const operation of operations) {
      const { group, region, action } = operation;
      if (isOutage) this.#outages.note(group.table, action.row, region, error);
      if (remedy === 'relocate' && region !== undefined) this.#options.locator.forget(region);
      if (remedy === 'give-up' || (isLasting && group.failsFast)) {
        group.failOne(operation.index, error);
        continue;
      }
      group.noteFailure(error);
      if (!isRest) operation.attempts += 1;
      const alike = retried.get(operation.attempts);
      if (alike === undefined) retried.set(operation.attempts, [operation]);
      else alike.push(operation);
    }
    for (const [attempts, alike] of retried) {
      this.#options.onRetry(causeOf(error), alike.length);
      const delayMs = waitMs(remedy, attempts);
      setTimeout(() => {
        for (const operation of alike) this.#route(operation);
      }, delayMs);
    }
  }
}
