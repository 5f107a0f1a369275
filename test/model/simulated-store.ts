/** The store of the model: when it looks, when its answer comes, and whether it fails, are choices of the schedule. */
import { QuanrenError } from '../../errors/quanren-error.js';
import type { MembershipSource } from '../../gateway/read/membership-reader.js';
import type { Memberships } from '../../stores/membership-store.js';
import { STORE_DEADLINE_MS } from './simulated-gateway.js';

export interface StoreRead {
  /** First the store looks, then its answer comes. */
  proceed(): void;
  fail(): void;
  readonly deadlineMs: number;
}

export class SimulatedStore implements MembershipSource {
  readonly reads = new Set<StoreRead>();
  readonly #look: (uid: string) => Memberships;
  readonly #now: () => number;

  constructor(look: (uid: string) => Memberships, now: () => number) {
    this.#look = look;
    this.#now = now;
  }

  getMany(uids: readonly string[]): Promise<Memberships[]> {
    return new Promise((resolve, reject) => {
      let rows: Memberships[] | undefined;
      const read: StoreRead = {
        proceed: () => {
          if (rows === undefined) {
            rows = uids.map(this.#look);
            return;
          }
          this.reads.delete(read);
          resolve(rows);
        },
        fail: () => {
          this.reads.delete(read);
          reject(new QuanrenError('unavailable', 'The store has failed.'));
        },
        deadlineMs: this.#now() + STORE_DEADLINE_MS,
      };
      this.reads.add(read);
    });
  }
}
