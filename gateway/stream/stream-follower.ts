/**
 * Follows the topics that the gateway lives by, once for all workers: which users changed, which crowds there are, and
 * until when all of that has been told.
 */
import { randomUUID } from 'node:crypto';
import type { EventBus, Message, Subscription } from '../../events/event-bus.js';
import type { CrowdRuleMessage, MembershipMessage } from '../../events/messages.js';
import { TOPICS } from '../../events/topics.js';
import { slotOf } from '../cache/generations.js';
import { hashUid } from '../cache/uid-hash.js';
import type { CrowdChange, CrowdStatus } from '../match/crowd-catalog.js';
import type { StreamStep } from '../supervision/protocol.js';

const MAX_BATCH = 5_000;

export interface StreamFollowerOptions {
  readonly bus: EventBus;
  /** Gets each step in order, from the call of `start` on. */
  readonly onStep: (step: StreamStep) => void;
  readonly onError: (error: unknown) => void;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export class StreamFollower {
  readonly #options: StreamFollowerOptions;
  readonly #crowds = new Map<string, CrowdStatus>();
  /** By partition of membership-changes, when the last heartbeat that came was sent. */
  readonly #heartbeats = new Map<number, number>();
  readonly #subscriptions: Subscription[] = [];
  readonly messages = new Map<string, number>();
  #isCatalogLoaded = false;
  #asOfMs = Number.NEGATIVE_INFINITY;

  constructor(options: StreamFollowerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when both topics are followed: every change from then on will be told. `loaded` resolves when the catalog
   * is complete, and rejects when the bus is closed before.
   */
  async start(): Promise<{ readonly loaded: Promise<void> }> {
    const { bus, onError, now } = this.#options;
    // A group of its own: every gateway gets every message.
    const group = `gateway-${randomUUID()}`;
    const common = { group, onError, maxBatch: MAX_BATCH };
    const changes = await bus.subscribe({
      ...common,
      topics: ['membership-changes'],
      start: { from: 'latest' },
      onBatch: async (messages) => this.#onMemberships(messages),
    });
    this.#subscriptions.push(changes);
    const crowds = await bus.subscribe({
      ...common,
      topics: ['crowd-rules'],
      start: { from: 'earliest' },
      onBatch: async (messages) => this.#onCrowds(messages),
    });
    this.#subscriptions.push(crowds);
    const askedAtMs = now();
    const loaded = Promise.all([changes.caughtUp(), crowds.caughtUp()]).then(() => {
      this.#isCatalogLoaded = true;
      this.#asOfMs = Math.max(this.#asOfMs, askedAtMs);
      this.#options.onStep({ isCatalogLoaded: true, asOfMs: this.#asOfMs });
    });
    return { loaded };
  }

  /** All that was told so far, in one step. */
  snapshot(): StreamStep {
    return {
      crowds: [...this.#crowds],
      isCatalogLoaded: this.#isCatalogLoaded,
      ...(Number.isFinite(this.#asOfMs) ? { asOfMs: this.#asOfMs } : {}),
    };
  }

  /** Infinite before the first proof of life. */
  get stalenessMs(): number {
    return this.#options.now() - this.#asOfMs;
  }

  /** How many crowds are known, by status. */
  get crowdCounts(): ReadonlyMap<CrowdStatus, number> {
    const counts = new Map<CrowdStatus, number>([
      ['active', 0],
      ['paused', 0],
    ]);
    for (const status of this.#crowds.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
    return counts;
  }

  /** Messages that are published and not yet applied. Throws `unavailable` where the bus does not say. */
  async lag(): Promise<number> {
    const lags = await Promise.all(this.#subscriptions.map((subscription) => subscription.lag()));
    return lags.reduce((sum, each) => sum + each, 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
  }

  #count(type: string): void {
    this.messages.set(type, (this.messages.get(type) ?? 0) + 1);
  }

  #onMemberships(messages: readonly Message[]): void {
    const slots: number[] = [];
    let isEverythingChanged = false;
    for (const { partition, value } of messages) {
      const message = value as MembershipMessage;
      this.#count(message.type);
      switch (message.type) {
        case 'membership-changed':
          slots.push(slotOf(hashUid(message.uid)));
          break;
        case 'crowd-refreshed':
          isEverythingChanged = true;
          break;
        case 'heartbeat':
          this.#heartbeats.set(partition, message.sentAtMs);
          break;
      }
    }
    // Heartbeats count only once their whole batch is told: it holds what came before them.
    if (this.#heartbeats.size === TOPICS['membership-changes'].partitions) {
      this.#asOfMs = Math.max(this.#asOfMs, Math.min(...this.#heartbeats.values()));
    }
    this.#options.onStep({
      slots: Int32Array.from(slots),
      isEverythingChanged,
      ...(Number.isFinite(this.#asOfMs) ? { asOfMs: this.#asOfMs } : {}),
    });
  }

  #onCrowds(messages: readonly Message[]): void {
    const changes: CrowdChange[] = [];
    for (const { key, value } of messages) {
      this.#count('crowd-rule');
      const status = value === null ? null : (value as CrowdRuleMessage).status;
      // A new version of a rule changes no answer until a run has changed memberships.
      if ((this.#crowds.get(key) ?? null) === status) continue;
      if (status === null) this.#crowds.delete(key);
      else this.#crowds.set(key, status);
      changes.push([key, status]);
    }
    if (changes.length > 0) this.#options.onStep({ crowds: changes });
  }
}
