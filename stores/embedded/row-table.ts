/**
 * A table of rows in LMDB: one environment (a file and its lock file), one record per row key, sorted by row key.
 * Any number of threads and processes may have it open, all may write, readers never wait.
 *
 * Durability: a commit is written and synced to disk before `apply` resolves, so what was acknowledged survives both
 * a killed process and a power loss (as far as the disk keeps what it said it had synced).
 *
 * Reads see every change whose `apply` had resolved, in any process, when they were called: the gateway's coherence
 * rests on this. LMDB's own habit of keeping one snapshot for a whole turn of the event loop would break it, so each
 * read starts from a new snapshot.
 */
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Database, open } from 'lmdb';
import { isDiskFull, leaveToTransaction, lmdbFailure } from '../../errors/lmdb-failure.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { admitChanges, checkChange, checkValue } from '../changes.js';
import { type ApplyResult, LATENESS_BOUND_MS, type ReadOptions } from '../membership-store.js';
import { checkUid, rowKey, uidOfRowKey } from '../row-key.js';
import { type Cell, decodeRow, eachCell, encodeRow, type Row, supersedes } from './row.js';

export interface CellChange extends Cell {
  readonly uid: string;
  readonly code: string;
}

interface KeyedChange {
  readonly key: string;
  readonly change: CellChange;
}

/** Address space, not disk: the file grows as it is filled. A fixed map spares readers the moving of a growing one. */
const MAP_SIZE_BYTES = 2 ** 38;
/** Readers at once: one for each thread that has the table open. */
const MAX_READERS = 512;
/** Changes in one transaction: it holds the event loop, and the write lock, for some 20 ms. */
const CHANGES_PER_COMMIT = 2_000;
/** Rows read before the event loop gets its turn. */
const ROWS_PER_TURN = 1_000;

const EMPTY = Buffer.alloc(0);

/** LMDB sorts by these bytes: UTF-8, so the order is the row keys' order everywhere. */
const uidAsRowKey = {
  writeKey: (uid: string, target: Buffer, position: number) =>
    position + target.write(rowKey(uid), position, 'utf8'),
  readKey: (source: Buffer, start: number, end: number) => uidOfRowKey(source.toString('utf8', start, end)),
};

function unavailable(cause: unknown): QuanrenError {
  if (cause instanceof QuanrenError) return cause;
  const sentence = isDiskFull(cause)
    ? 'The disk of the embedded store is full: nothing can be written until it has room.'
    : 'The embedded store could not be used; the log has the cause.';
  return new QuanrenError('unavailable', sentence, { cause });
}

export class RowTable {
  readonly #db: Database<Buffer, string>;
  #closing: Promise<void> | undefined;

  /** Opens `<folder>/<name>.mdb`, which it makes if it is not there. */
  constructor(folder: string, name: string) {
    // Two fields are missing from the options' type: hence the variable.
    const options = {
      path: path.join(folder, `${name}.mdb`),
      encoding: 'binary' as const,
      keyEncoder: uidAsRowKey,
      overlappingSync: false,
      // Every write is in a transaction; and where a batch of a turn fails, lmdb rejects a promise that nobody can take.
      eventTurnBatching: false,
      mapSize: MAP_SIZE_BYTES,
      maxReaders: MAX_READERS,
    };
    try {
      this.#db = open<Buffer, string>(options);
    } catch (cause) {
      throw new QuanrenError('set_up', `The store in ${folder} cannot be opened.`, { cause });
    }
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new QuanrenError('unavailable', 'The store is closed.');
  }

  /** `decode` gets the row's bytes, empty where there is no row; they are valid only until it returns. */
  async get<R>(uid: string, decode: (bytes: Buffer) => R, options: ReadOptions | undefined): Promise<R> {
    if (options?.deadlineMs !== undefined) new Deadline(options.deadlineMs).check();
    return this.getNow(uid, decode);
  }

  /** As `get`, but throws. */
  getNow<R>(uid: string, decode: (bytes: Buffer) => R): R {
    checkUid(uid);
    this.#checkOpen();
    return this.#read(() => decode(this.#db.getBinaryFast(uid) ?? EMPTY));
  }

  /** From a new snapshot. */
  #read<R>(read: () => R): R {
    try {
      this.#db.resetReadTxn();
      return read();
    } catch (cause) {
      throw unavailable(cause);
    }
  }

  async getMany<R>(
    uids: readonly string[],
    decode: (bytes: Buffer) => R,
    options: ReadOptions | undefined,
  ): Promise<R[]> {
    for (const uid of uids) checkUid(uid);
    const deadline = new Deadline(options?.deadlineMs ?? Number.POSITIVE_INFINITY);
    const answers: R[] = [];
    for (let start = 0; start < uids.length; start += ROWS_PER_TURN) {
      if (start > 0) await nextTurn();
      this.#checkOpen();
      deadline.check();
      const end = Math.min(start + ROWS_PER_TURN, uids.length);
      this.#read(() => {
        for (let i = start; i < end; i += 1) {
          answers.push(decode(this.#db.getBinaryFast(uids[i] ?? '') ?? EMPTY));
        }
      });
    }
    deadline.check();
    return answers;
  }

  async apply(changes: readonly CellChange[], nowMs: number): Promise<ApplyResult> {
    this.#checkOpen();
    for (const { uid, code, value, changeTimeMs } of changes) {
      checkChange(uid, code, changeTimeMs);
      if (value !== null) checkValue(value);
    }
    const { admitted, result } = admitChanges(changes, nowMs);
    const keyed: KeyedChange[] = admitted.map((change) => ({ key: rowKey(change.uid), change }));
    // Neighbours share pages: each commit writes few of them where the changes are many.
    keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    for (let start = 0; start < keyed.length; start += CHANGES_PER_COMMIT) {
      await this.#commit(keyed.slice(start, start + CHANGES_PER_COMMIT), nowMs);
    }
    return result;
  }

  async #commit(changes: readonly KeyedChange[], nowMs: number): Promise<void> {
    this.#checkOpen();
    const byUid = new Map<string, CellChange[]>();
    for (const { change } of changes) {
      const ofUser = byUid.get(change.uid);
      if (ofUser === undefined) byUid.set(change.uid, [change]);
      else ofUser.push(change);
    }
    try {
      await this.#db.transaction(() => {
        for (const [uid, ofUser] of byUid) this.#merge(uid, ofUser, nowMs);
      });
    } catch (cause) {
      throw unavailable(await lmdbFailure(cause));
    }
  }

  /** Inside a transaction: brings a row up to date, and forgets the departures that no change may contest any more. */
  #merge(uid: string, changes: readonly CellChange[], nowMs: number): void {
    const stored = this.#db.getBinaryFast(uid);
    const row: Row = stored === undefined ? new Map() : decodeRow(stored);
    let changed = false;
    for (const change of changes) {
      const known = row.get(change.code);
      if (known !== undefined && !supersedes(change, known)) continue;
      row.set(change.code, change);
      changed = true;
    }
    if (!changed) return;
    for (const [code, cell] of row) {
      if (cell.value === null && cell.changeTimeMs < nowMs - LATENESS_BOUND_MS) row.delete(code);
    }
    leaveToTransaction(this.#db.put(uid, encodeRow(row)));
  }

  /** Every row in row-key order, as of the start of the scan or later; holds no snapshot between turns. */
  async *scan<R>(decode: (bytes: Buffer) => R): AsyncGenerator<{ uid: string; row: R }> {
    let after: string | undefined;
    for (;;) {
      this.#checkOpen();
      const rows = this.#read(() => this.#rowsAfter(after, decode));
      const last = rows.at(-1);
      if (last === undefined) return;
      yield* rows;
      after = last.uid;
      await nextTurn();
    }
  }

  #rowsAfter<R>(after: string | undefined, decode: (bytes: Buffer) => R): { uid: string; row: R }[] {
    const rows: { uid: string; row: R }[] = [];
    const range = after === undefined ? {} : { start: after };
    // The row where the last turn ended comes again, unless it is gone by now.
    for (const { key, value } of this.#db.getRange({ ...range, limit: ROWS_PER_TURN + 1 })) {
      if (key !== after) rows.push({ uid: key, row: decode(value) });
    }
    return rows;
  }

  async clear(): Promise<void> {
    this.#checkOpen();
    try {
      await this.#db.clearAsync();
    } catch (cause) {
      throw unavailable(await lmdbFailure(cause));
    }
  }

  /** Waits for the commits under way. */
  close(): Promise<void> {
    this.#closing ??= this.#db.close();
    return this.#closing;
  }
}

class Deadline {
  readonly #afterMs: number;
  readonly #start = performance.now();

  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  check(): void {
    if (performance.now() - this.#start >= this.#afterMs) {
      throw new QuanrenError('unavailable', `The store did not answer within ${this.#afterMs} ms.`);
    }
  }
}

/** The cells that are there, without the departed. */
export function decodePresent<V>(
  bytes: Buffer,
  pick: (changeTimeMs: number, value: string) => V,
): Map<string, V> {
  const present = new Map<string, V>();
  eachCell(bytes, (code, changeTimeMs, value) => {
    if (value !== null) present.set(code, pick(changeTimeMs, value));
  });
  return present;
}
