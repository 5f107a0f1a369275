/**
 * Changes memberships without a pause, as every writer does: to the store, and once that has acknowledged (or may have
 * done it) to the bus. Tells the judge.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventBus } from '../../events/event-bus.js';
import type { MembershipStore } from '../../stores/membership-store.js';
import type { Random } from '../differential/random.js';
import type { Truth } from './truth.js';

/** Users changed at once; in the rests between, all is published, and a heartbeat can say so. */
const TOGETHER = 16;
const REST_MS = 300;
const PUBLISH_AGAIN_MS = 200;

export interface WriterOptions {
  readonly store: MembershipStore;
  readonly bus: EventBus;
  readonly crowdCode: string;
  /** Who changes all the time. */
  readonly uids: readonly string[];
  readonly random: Random;
  readonly truth: Truth;
}

export class Writer {
  readonly #options: WriterOptions;
  /** What was last written, and its change time: strictly increasing, since leaving wins a tie. */
  readonly #written = new Map<string, { readonly isMember: boolean; readonly changeTimeMs: number }>();
  #unpublished = 0;
  #lastAcknowledgedMs = 0;
  #isOver = false;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Whether the bus has all that the store may have: no heartbeat may overtake a change. */
  get hasPublishedAll(): boolean {
    return this.#unpublished === 0;
  }

  /** Epoch milliseconds when the store last did so. */
  get lastAcknowledgedMs(): number {
    return this.#lastAcknowledgedMs;
  }

  start(): void {
    this.#writing = this.#writeOn();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#writing;
  }

  /** The other membership; published until the bus has it, also where the store may or may not have taken it. */
  async write(uid: string): Promise<void> {
    const { store, bus, crowdCode, truth } = this.#options;
    const nowMs = Date.now();
    const last = this.#written.get(uid);
    const isMember = last?.isMember !== true;
    const changeTimeMs = Math.max(nowMs, (last?.changeTimeMs ?? 0) + 1);
    this.#written.set(uid, { isMember, changeTimeMs });
    const change = { uid, crowdCode, kind: isMember ? 'enter' : 'leave', changeTimeMs } as const;
    const acknowledge = truth.write(uid, isMember, nowMs);
    this.#unpublished += 1;
    try {
      await store.apply([change], nowMs);
      this.#lastAcknowledgedMs = Date.now();
      acknowledge(this.#lastAcknowledgedMs);
    } catch {
      // It may have been done.
    }
    while (!this.#isOver) {
      try {
        await bus.publish('membership-changes', [
          { key: uid, value: { type: 'membership-changed', ...change } },
        ]);
        break;
      } catch {
        await sleep(PUBLISH_AGAIN_MS);
      }
    }
    this.#unpublished -= 1;
  }

  async #writeOn(): Promise<void> {
    const { random, uids } = this.#options;
    while (!this.#isOver) {
      await Promise.all(
        random
          .shuffle(uids)
          .slice(0, TOGETHER)
          .map((uid) => this.write(uid)),
      );
      await sleep(REST_MS);
    }
  }
}
