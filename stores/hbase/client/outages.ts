/**
 * The breaker of rows: those of a region that cannot be reached, because it is open nowhere or its server is away, and
 * those of a table whose region is not known and cannot be found.
 *
 *   noted ──LASTING_MS──▶ lasting ──a probe is answered, or nobody asks any more──▶ over
 *     └──a probe is answered──▶ over
 *
 * At first who asks is patient: regions move, and are away for a moment. Of what lasts they learn at once; and while
 * something of a cluster lasts, or has just been over, what else is noted counts as lasting too. Whether it is
 * over is found out by probes, not by those who ask: none of them waits for an attempt that most likely fails.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { backOffMs } from '../../../errors/back-off.js';
import { QuanrenError } from '../../../errors/quanren-error.js';
import { ConnectionError } from '../connection/connection-error.js';
import { LASTING_MS } from '../connection/server-link.js';
import type { Region } from '../locate/region.js';
import type { ByteString } from '../wire/byte-string.js';
import type { TableName } from '../wire/messages/table-name.js';

/** Between probes, each of which is several attempts. */
const PROBE_REST = { firstMs: 50, longestMs: 200 };
/** What nobody has asked for since so long is no more looked for; the next who asks is patient again. */
const FORGOTTEN_MS = 60_000;

/** For so long after the last refusal a cluster is still finding itself. */
const RELAPSE_MS = 5_000;

interface Outage {
  readonly table: TableName;
  /** Undefined: of all rows whose region is not known. */
  readonly region: Region | undefined;
  readonly sinceMs: number;
  /** What the last who was not answered learned. */
  error: unknown;
  askedAtMs: number;
}

export class Outages {
  readonly #probe: (table: TableName, row: ByteString) => Promise<unknown>;
  #outages: Outage[] = [];
  #refusedAtMs = Number.NEGATIVE_INFINITY;

  /** `probe` rejects when the row could not be read. */
  constructor(probe: (table: TableName, row: ByteString) => Promise<unknown>) {
    this.#probe = probe;
  }

  /** Why the row is not to be asked for; undefined: it may be. `isLocated`: its region is known. */
  refusalOf(table: TableName, row: ByteString, isLocated: boolean): unknown {
    if (this.#outages.length === 0) return undefined;
    const nowMs = performance.now();
    for (const outage of this.#outages) {
      if (!concerns(outage, table, row, isLocated)) continue;
      outage.askedAtMs = nowMs;
      if (nowMs - outage.sinceMs < LASTING_MS) continue;
      this.#refusedAtMs = nowMs;
      return outage.error;
    }
    return undefined;
  }

  /** An attempt at the row failed for `error`: there, or, where `region` is undefined, because none was found. */
  note(table: TableName, row: ByteString, region: Region | undefined, error: unknown): void {
    const known = this.#outages.find((each) => isSame(each, table, row, region));
    if (known !== undefined) {
      known.error = error;
      return;
    }
    const nowMs = performance.now();
    const isKnown = error instanceof ConnectionError && error.isLasting;
    const isLasting = isKnown || nowMs - this.#refusedAtMs < RELAPSE_MS;
    const sinceMs = isLasting ? nowMs - LASTING_MS : nowMs;
    const outage = { table, region, sinceMs, error, askedAtMs: nowMs };
    this.#outages.push(outage);
    void this.#watch(outage, row);
  }

  close(): void {
    this.#outages = [];
  }

  async #watch(outage: Outage, row: ByteString): Promise<void> {
    for (let failures = 1; this.#outages.includes(outage); failures += 1) {
      if (performance.now() - outage.askedAtMs >= FORGOTTEN_MS) break;
      try {
        await this.#probe(outage.table, row);
        break;
      } catch (error) {
        // Those who ask learn it themselves.
        if (error instanceof QuanrenError && error.code === 'set_up') break;
      }
      await sleep(backOffMs(PROBE_REST, failures), undefined, { ref: false });
    }
    this.#outages = this.#outages.filter((each) => each !== outage);
  }
}

function concerns({ table, region }: Outage, ofTable: TableName, row: ByteString, isLocated: boolean) {
  if (table !== ofTable) return false;
  return region === undefined ? !isLocated : holdsRow(region, row);
}

function isSame(outage: Outage, table: TableName, row: ByteString, region: Region | undefined): boolean {
  if (outage.table !== table) return false;
  return region === undefined || outage.region === undefined
    ? region === outage.region
    : holdsRow(outage.region, row);
}

function holdsRow({ info: { startKey, endKey } }: Region, row: ByteString): boolean {
  return startKey <= row && (endKey === '' || row < endKey);
}
