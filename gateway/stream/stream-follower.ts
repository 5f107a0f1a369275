/**
 * Follows the topics that the gateway lives by, once for all workers: which users changed, which crowds there are, and
 * until when all of that has been told. What has changed leaves the shared cache before anyone is told of it.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { backOffMs } from '../../errors/back-off.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import { tellError } from '../../errors/tell-error.js';
import type { EventBus, Message, Subscription } from '../../events/event-bus.js';
import type { CrowdRuleMessage, MembershipMessage } from '../../events/messages.js';
import { TOPICS } from '../../events/topics.js';
import { slotOf } from '../cache/generations.js';
import { hashUid } from '../cache/uid-hash.js';
import type { CrowdChange, CrowdStatus } from '../match/crowd-catalog.js';
import type { StreamStep } from '../supervision/protocol.js';
import type { SharedCacheGate } from './shared-cache-gate.js';
import { isHeld, positionOf, type StreamPosition, type StreamPositions } from './stream-positions.js';

const MAX_BATCH = 5_000;
/** Between attempts to reach the bus, which go on for as long as the gateway lives. */
const RETRY = { firstMs: 100, longestMs: 5_000 };
/** What goes on failing fails again within this. */
const TROUBLE_LASTS_MS = 10_000;
/** A stream that tells of so much at once had stopped, and goes on: what failed is over. */
const RESUMED_AFTER_MS = 3_000;
/** A platform that lives beats every second. */
const SIGN_OF_LIFE_WITHIN_MS = 5_000;
const LOOK_FOR_LIFE_EVERY_MS = 50;
const NOBODY_WRITES = new QuanrenError(
  'unavailable',
  'it tells of no crowd and nobody writes to it; is it the one that the platform writes to?',
);

export interface StreamFollowerOptions {
  readonly bus: EventBus;
  /** Gets each step in order, from the call of `start` on. */
  readonly onStep: (step: StreamStep) => void;
  /** Hears of each failure; what is tried again fails again every few seconds. */
  readonly onError: (error: unknown) => void;
  /** Keeps the shared cache right, where there is one. */
  readonly gate?: SharedCacheGate | undefined;
  /** Changes of so long ago are told too: what was read before the start may live that long. 0: from the start on. */
  readonly replayMs: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export class StreamFollower {
  readonly #options: StreamFollowerOptions;
  readonly #crowds = new Map<string, CrowdStatus>();
  /** By partition of membership-changes, when the last heartbeat that came was sent. */
  readonly #heartbeats = new Map<number, number>();
  /** By partition of membership-changes, the last message that was told. */
  readonly #applied = new Map<number, StreamPosition>();
  /** What the workers held before the start. */
  #held: StreamPositions = [];
  readonly #subscriptions: Subscription[] = [];
  readonly #closing = new AbortController();
  readonly messages = new Map<string, number>();
  #hasTold = false;
  #lastFailure: { readonly sentence: string; readonly atMs: number } | undefined;
  #isLoaded = false;
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** The oldest of the newest heartbeats of all partitions. */
  #heartbeatMs = Number.NEGATIVE_INFINITY;

  constructor(options: StreamFollowerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when both topics are followed to what was in them, and the catalog is complete; a bus that cannot be reached
   * is tried again. Rejects when it is closed before. `held`: of the changes of before, the workers are not told these.
   */
  async start(held: StreamPositions = []): Promise<void> {
    this.#held = held;
    const { bus, gate, now, replayMs } = this.#options;
    // A group of its own: every gateway gets every message.
    const group = `gateway-${randomUUID()}`;
    const onError = (error: unknown) => this.#noteFailure(error);
    const common = { group, onError, maxBatch: MAX_BATCH };
    await gate?.warm();
    const changes = await this.#subscribe(() =>
      bus.subscribe({
        ...common,
        topics: ['membership-changes'],
        start: replayMs > 0 ? { from: 'time', timestampMs: now() - replayMs } : { from: 'latest' },
        onBatch: (messages) => this.#onMemberships(messages),
      }),
    );
    const crowds = await this.#subscribe(() =>
      bus.subscribe({
        ...common,
        topics: ['crowd-rules'],
        start: { from: 'earliest' },
        onBatch: async (messages) => this.#onCrowds(messages),
      }),
    );
    const askedAtMs = await this.#insist(async () => {
      const askedMs = now();
      await Promise.all([changes.caughtUp(), crowds.caughtUp()]);
      return askedMs;
    });
    await this.#provenEmpty();
    this.#isLoaded = true;
    // What was held before the start has been passed.
    this.#held = [];
    this.#lastFailure = undefined;
    this.#asOfMs = Math.max(this.#asOfMs, askedAtMs);
    this.#tell({ catalog: [...this.#crowds], ...this.#proof() });
    gate?.replayed(this.#heartbeatMs);
  }

  /** All that was told so far, in one step. */
  snapshot(): StreamStep {
    const trust = this.#options.gate?.trust ?? null;
    return this.#isLoaded ? { catalog: [...this.#crowds], ...this.#proof(), trust } : { trust };
  }

  /** Whether workers were told of any change: one that starts now was not, and must know nothing of before. */
  get hasTold(): boolean {
    return this.#hasTold;
  }

  /** Infinite before the stream was first caught up with. */
  get stalenessMs(): number {
    return this.#isLoaded ? this.#options.now() - this.#asOfMs : Number.POSITIVE_INFINITY;
  }

  /** What lately failed, in a few words. */
  get trouble(): string | undefined {
    const failure = this.#lastFailure;
    return failure !== undefined && this.#options.now() - failure.atMs < TROUBLE_LASTS_MS
      ? failure.sentence
      : undefined;
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

  /** Messages that are published and not yet applied. Throws `unavailable` where the bus does not say, or did not yet. */
  async lag(): Promise<number> {
    if (!this.#isLoaded) throw new QuanrenError('unavailable', 'The stream is not followed yet.');
    const lags = await Promise.all(this.#subscriptions.map((subscription) => subscription.lag()));
    return lags.reduce((sum, each) => sum + each, 0);
  }

  async close(): Promise<void> {
    this.#closing.abort(new QuanrenError('unavailable', 'The stream is no longer followed.'));
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
  }

  async #subscribe(attempt: () => Promise<Subscription>): Promise<Subscription> {
    const subscription = await this.#insist(attempt);
    if (this.#closing.signal.aborted) await subscription.close();
    this.#closing.signal.throwIfAborted();
    this.#subscriptions.push(subscription);
    return subscription;
  }

  async #insist<T>(attempt: () => Promise<T>): Promise<T> {
    const { signal } = this.#closing;
    for (let failures = 1; ; failures += 1) {
      try {
        return await attempt();
      } catch (error) {
        signal.throwIfAborted();
        this.#noteFailure(error);
      }
      await sleep(backOffMs(RETRY, failures), undefined, { signal });
    }
  }

  /** A stream without crowds may be another one than the platform's, so it is believed only when a platform writes to it. */
  async #provenEmpty(): Promise<void> {
    let complainAtMs = performance.now() + SIGN_OF_LIFE_WITHIN_MS;
    while (this.#crowds.size === 0 && this.#heartbeatMs === Number.NEGATIVE_INFINITY) {
      if (performance.now() > complainAtMs) {
        this.#noteFailure(NOBODY_WRITES);
        complainAtMs += SIGN_OF_LIFE_WITHIN_MS;
      }
      await sleep(LOOK_FOR_LIFE_EVERY_MS, undefined, { signal: this.#closing.signal });
    }
  }

  #noteFailure(error: unknown): void {
    this.#lastFailure = { sentence: tellError(error), atMs: this.#options.now() };
    this.#options.onError(error);
  }

  #tell(step: StreamStep): void {
    this.#hasTold = true;
    this.#options.onStep(step);
  }

  #count(type: string): void {
    this.messages.set(type, (this.messages.get(type) ?? 0) + 1);
  }

  async #onMemberships(messages: readonly Message[]): Promise<void> {
    const { gate } = this.#options;
    for (const { value } of messages) this.#count((value as MembershipMessage).type);
    const all = changesOf(messages);
    // Before the step: a worker that has taken it must not find in the shared cache what was there before.
    if (gate !== undefined) {
      if (all.isEverythingChanged) await gate.forgetEverything();
      else if (all.uids.size > 0) await gate.forget([...all.uids]);
    }
    this.#noteHeartbeats(messages);
    this.#notePositions(messages);
    const held = this.#held;
    const { uids, isEverythingChanged } =
      held.length === 0 ? all : changesOf(messages.filter((each) => !isHeld(each, held)));
    this.#tell({
      slots: Int32Array.from(uids, (uid) => slotOf(hashUid(uid))),
      isEverythingChanged,
      ...(this.#isLoaded ? this.#proof() : {}),
    });
    if (this.#isLoaded) gate?.replayed(this.#heartbeatMs);
  }

  /** Until when, and until where, the stream has been told. */
  #proof(): Required<Pick<StreamStep, 'asOfMs' | 'applied'>> {
    return { asOfMs: this.#asOfMs, applied: [...this.#applied.values()] };
  }

  /** They only go forward: what comes again was told. Of each partition the last message of the batch stands for all. */
  #notePositions(messages: readonly Message[]): void {
    for (const message of messages.toReversed()) {
      const last = this.#applied.get(message.partition);
      if (last === undefined || last.offset < message.offset)
        this.#applied.set(message.partition, positionOf(message));
    }
  }

  /** They count only once their whole batch is told: it holds what came before them. */
  #noteHeartbeats(messages: readonly Message[]): void {
    for (const { partition, value } of messages) {
      const message = value as MembershipMessage;
      if (message.type !== 'heartbeat') continue;
      // A sender whose clock is ahead must not vouch for what is still to come.
      this.#heartbeats.set(partition, Math.min(message.sentAtMs, this.#options.now()));
    }
    if (this.#heartbeats.size < TOPICS['membership-changes'].partitions) return;
    this.#heartbeatMs = Math.min(...this.#heartbeats.values());
    if (this.#heartbeatMs - this.#asOfMs > RESUMED_AFTER_MS) this.#lastFailure = undefined;
    this.#asOfMs = Math.max(this.#asOfMs, this.#heartbeatMs);
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
    // Until the catalog is complete what comes is history, and no worker goes by it.
    if (this.#isLoaded && changes.length > 0) this.#tell({ crowds: changes });
  }
}

function changesOf(messages: readonly Message[]): {
  uids: ReadonlySet<string>;
  isEverythingChanged: boolean;
} {
  const uids = new Set<string>();
  let isEverythingChanged = false;
  for (const { value } of messages) {
    const message = value as MembershipMessage;
    if (message.type === 'membership-changed') uids.add(message.uid);
    else if (message.type === 'crowd-refreshed') isEverythingChanged = true;
  }
  return { uids, isEverythingChanged };
}
