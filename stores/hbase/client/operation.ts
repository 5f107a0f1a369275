/** What callers wait for: rows of one table, read or written, each on its own way, all together with one answer. */
import { QuanrenError } from '../../../errors/quanren-error.js';
import type { Region } from '../locate/region.js';
import type { RowAction } from '../wire/messages/multi-request.js';
import type { TableName } from '../wire/messages/table-name.js';
import type { Expirable } from './deadlines.js';
import { finalError, sayWhy } from './failures.js';

/**
 * What the reader of a get made of its row; of a mutation, whether it was done: always, if it has no condition. A
 * QuanrenError only in a group that `failsApart`.
 */
export type Outcome = object | boolean;

export interface OperationGroupOptions {
  readonly table: TableName;
  readonly timeoutMs: number;
  /** Whether to fail as soon as a server is known to be away, rather than wait for it up to the deadline. */
  readonly failsFast: boolean;
  /** Whether one that fails has that as its outcome, and the others have theirs; else the group fails with it. */
  readonly failsApart: boolean;
}

export class OperationGroup implements Expirable {
  readonly table: TableName;
  readonly failsFast: boolean;
  readonly deadlineAtMs: number;
  place = 0;
  readonly size: number;
  readonly #timeoutMs: number;
  readonly #failsApart: boolean;
  #outcomes: Outcome[];
  #remaining: number;
  #resolve: ((outcomes: Outcome[]) => void) | undefined;
  #reject: ((error: QuanrenError) => void) | undefined;
  readonly #onSettled: (group: OperationGroup) => void;
  #lastFailure: unknown;

  constructor(
    size: number,
    options: OperationGroupOptions,
    resolve: (outcomes: Outcome[]) => void,
    reject: (error: QuanrenError) => void,
    onSettled: (group: OperationGroup) => void,
  ) {
    this.table = options.table;
    this.failsFast = options.failsFast;
    this.#timeoutMs = options.timeoutMs;
    this.#failsApart = options.failsApart;
    this.deadlineAtMs = performance.now() + options.timeoutMs;
    this.size = size;
    this.#remaining = size;
    this.#outcomes = new Array(size);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onSettled = onSettled;
  }

  /** Nobody waits any more: what was not sent need not be. */
  get isSettled(): boolean {
    return this.#resolve === undefined;
  }

  succeed(index: number, outcome: Outcome): void {
    if (this.#resolve === undefined) return;
    this.#outcomes[index] = outcome;
    this.#remaining -= 1;
    if (this.#remaining > 0) return;
    const resolve = this.#resolve;
    const outcomes = this.#outcomes;
    this.#settle();
    resolve(outcomes);
  }

  /** One failed for good. */
  failOne(index: number, error: unknown): void {
    if (this.#failsApart) this.succeed(index, finalError(error));
    else this.fail(error);
  }

  /** Whatever is unfinished failed for good. */
  fail(error: unknown): void {
    const [resolve, reject] = [this.#resolve, this.#reject];
    if (resolve === undefined || reject === undefined) return;
    const failure = finalError(error);
    const outcomes = this.#outcomes;
    this.#settle();
    if (this.#failsApart) resolve(Array.from(outcomes, (outcome) => outcome ?? failure));
    else reject(failure);
  }

  /** An attempt failed, another is made: the deadline tells of it, should it pass. */
  noteFailure(error: unknown): void {
    this.#lastFailure = error;
  }

  expire(): void {
    const cause = this.#lastFailure;
    const why = cause === undefined ? '' : ` (${sayWhy(cause)})`;
    this.fail(
      new QuanrenError(
        'unavailable',
        `HBase did not answer within ${this.#timeoutMs} ms${why}. Ask again; how long a gateway waits is QUANREN_GATEWAY_STORE_DEADLINE_MS.`,
        { cause },
      ),
    );
  }

  #settle(): void {
    this.#resolve = undefined;
    this.#reject = undefined;
    this.#outcomes = [];
    this.#onSettled(this);
  }
}

/** One row's part of a group. */
export class Operation {
  readonly group: OperationGroup;
  readonly index: number;
  readonly action: RowAction;
  /** Attempts that failed. */
  attempts = 0;
  /** Where it was last sent. */
  region: Region | undefined;

  constructor(group: OperationGroup, index: number, action: RowAction) {
    this.group = group;
    this.index = index;
    this.action = action;
  }
}
