/** Which crowds there are, and which are paused: what the gateway knows of the catalog. Empty until it is first loaded. */
import { crowdTail } from './replies.js';

export type CrowdStatus = 'active' | 'paused';

export interface Crowd {
  readonly code: string;
  readonly status: CrowdStatus;
  /** The replies after the uid, fresh, for a member and for others. */
  readonly memberTail: Uint8Array;
  readonly notMemberTail: Uint8Array;
}

/** null: the crowd is gone. */
export type CrowdChange = readonly [code: string, status: CrowdStatus | null];

export class CrowdCatalog {
  readonly #crowds = new Map<string, Crowd>();
  isLoaded = false;
  /** Moves with every change. */
  version = 0;

  get(code: string): Crowd | undefined {
    return this.#crowds.get(code);
  }

  /** Takes `crowds` for all there are; returns whether that changes what was known. */
  load(crowds: readonly CrowdChange[]): boolean {
    const isSame =
      this.isLoaded &&
      crowds.length === this.#crowds.size &&
      crowds.every(([code, status]) => this.#crowds.get(code)?.status === status);
    this.isLoaded = true;
    if (isSame) return false;
    this.#crowds.clear();
    this.apply(crowds);
    return true;
  }

  all(): readonly CrowdChange[] {
    return Array.from(this.#crowds.values(), ({ code, status }): CrowdChange => [code, status]);
  }

  apply(changes: readonly CrowdChange[]): void {
    this.version += 1;
    for (const [code, status] of changes) {
      if (status === null) this.#crowds.delete(code);
      else {
        this.#crowds.set(code, {
          code,
          status,
          memberTail: Buffer.from(crowdTail(code, 'member', 'fresh')),
          notMemberTail: Buffer.from(crowdTail(code, 'not_member', 'fresh')),
        });
      }
    }
  }

  /** The active crowds among `codes`, sorted by code point (codes are ASCII). */
  sortedActive(codes: Iterable<string>): string[] {
    const active: string[] = [];
    let isSorted = true;
    let last = '';
    for (const code of codes) {
      if (this.#crowds.get(code)?.status !== 'active') continue;
      isSorted &&= last < code;
      last = code;
      active.push(code);
    }
    // HBase gives them in order.
    return isSorted ? active : active.sort();
  }
}
