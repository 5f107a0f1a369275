/**
 * One subscription to the embedded bus.
 *
 * For each topic, one consumer of a group at a time holds all partitions; the others stand by. The hold is a lease in
 * the log, renewed while its owner lives. A consumer takes over what was given back, whose owner's process is gone, or
 * whose lease ran out. Every commit checks the hold in the same transaction, so that who lost it cannot move offsets.
 *
 * States of a topic: standing by → (claim) → held → (commit or renewal finds another owner) → standing by.
 */
import { randomUUID } from 'node:crypto';
import { backOffMs } from '../../errors/back-off.js';
import { QuanrenError } from '../../errors/quanren-error.js';
import type { Message, SubscribeOptions, Subscription } from '../event-bus.js';
import { type DeadLetter, sortMessage } from '../stored-message.js';
import { deadLetterTopic, type TopicName, topicSpec } from '../topics.js';
import type { Doorbell } from './doorbell.js';
import type { Hold, Log } from './log.js';
import { Signal } from './signal.js';

const LEASE_MS = 5_000;
const RENEW_EVERY_MS = 1_000;
/** What a missed ring of the doorbell costs at most. */
const LOOK_EVERY_MS = 1_000;
const DEFAULT_MAX_BATCH = 500;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const RETRY = { firstMs: 100, longestMs: 5_000 };

export interface ConsumerDependencies {
  readonly log: Log;
  readonly doorbell: Doorbell;
  readonly now: () => number;
  readonly onDeadLetter: (topic: TopicName, reason: string) => void;
}

interface Batch {
  readonly messages: readonly Message[];
  readonly deadLetters: readonly DeadLetter[];
  /** By topic, where each partition goes on after this batch. */
  readonly positions: ReadonlyMap<TopicName, readonly number[]>;
}

interface Waiter {
  /** By topic, the offsets that must be committed. */
  readonly target: ReadonlyMap<TopicName, readonly number[]>;
  readonly resolve: () => void;
  readonly reject: (error: QuanrenError) => void;
}

const partitionsOf = (topic: TopicName): number[] =>
  Array.from({ length: topicSpec(topic).partitions }, (_, partition) => partition);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export class Consumer implements Subscription {
  readonly #id = randomUUID();
  readonly #options: SubscribeOptions;
  readonly #dependencies: ConsumerDependencies;
  readonly #signal = new Signal();
  readonly #stopListening: () => void;
  readonly #renewals: NodeJS.Timeout;
  /** The committed offsets of the topics held. */
  readonly #held = new Map<TopicName, readonly number[]>();
  /** By topic, where the first claim starts; gone once it was used. */
  readonly #starts: Map<TopicName, readonly number[]>;
  readonly #waiters = new Set<Waiter>();
  #turn = 0;
  #closing = false;
  #closed: Promise<void> | undefined;
  readonly #loop: Promise<void>;

  constructor(options: SubscribeOptions, dependencies: ConsumerDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    dependencies.log.refresh();
    this.#starts = this.#findStarts();
    this.#stopListening = dependencies.doorbell.listen(() => this.#signal.notify());
    this.#renewals = setInterval(() => void this.#renew(), RENEW_EVERY_MS);
    this.#loop = this.#run();
  }

  #findStarts(): Map<TopicName, readonly number[]> {
    const { log } = this.#dependencies;
    const { start, topics } = this.#options;
    const find = (topic: TopicName, partition: number): number => {
      if (start.from === 'latest') return log.nextOffset(topic, partition);
      if (start.from === 'time') return log.offsetAt(topic, partition, start.timestampMs);
      return 0;
    };
    if (start.from === 'committed') return new Map();
    return new Map(
      topics.map((topic) => [topic, partitionsOf(topic).map((partition) => find(topic, partition))]),
    );
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#closing) {
      try {
        this.#dependencies.log.refresh();
        for (const topic of this.#options.topics) await this.#claim(topic);
        const worked = await this.#handleBatch();
        this.#resolveWaiters();
        if (!worked) await this.#signal.wait(LOOK_EVERY_MS);
        failures = 0;
      } catch (error) {
        this.#options.onError(error);
        failures += 1;
        await this.#pause(backOffMs(RETRY, failures));
      }
    }
  }

  #mayClaim(hold: Hold | undefined): boolean {
    if (hold === undefined || hold.owner === '' || hold.owner === this.#id) return true;
    return hold.expiresAtMs <= this.#dependencies.now() || !isAlive(hold.pid);
  }

  async #claim(topic: TopicName): Promise<void> {
    const { log } = this.#dependencies;
    if (this.#held.has(topic) || !this.#mayClaim(log.hold(this.#options.group, topic))) return;
    const committed = await log.transact(() => {
      const hold = log.hold(this.#options.group, topic);
      if (!this.#mayClaim(hold)) return undefined;
      const start =
        this.#starts.get(topic) ?? partitionsOf(topic).map((partition) => hold?.committed[partition] ?? 0);
      this.#writeHold(topic, start);
      return start;
    });
    if (committed === undefined) return;
    this.#starts.delete(topic);
    this.#held.set(topic, committed);
  }

  /** Inside a transaction. */
  #writeHold(topic: TopicName, committed: readonly number[]): void {
    const { log, now } = this.#dependencies;
    log.setHold(this.#options.group, topic, {
      owner: this.#id,
      pid: process.pid,
      expiresAtMs: now() + LEASE_MS,
      committed,
    });
  }

  /** Whether there was something to do. */
  async #handleBatch(): Promise<boolean> {
    const batch = this.#readBatch();
    if (batch.positions.size === 0) return false;
    if (batch.messages.length > 0 && !(await this.#deliver(batch))) return true;
    await this.#commit(batch);
    return true;
  }

  /** Reads from all partitions held, starting with another one each time so that none is left behind. */
  #readBatch(): Batch {
    const { log } = this.#dependencies;
    const messages: Message[] = [];
    const deadLetters: DeadLetter[] = [];
    const positions = new Map<TopicName, number[]>();
    let room = this.#options.maxBatch ?? DEFAULT_MAX_BATCH;
    let roomBytes = MAX_BATCH_BYTES;
    const all = [...this.#held].flatMap(([topic, committed]) =>
      committed.map((from, partition) => ({ topic, partition, from })),
    );
    this.#turn += 1;
    for (let i = 0; i < all.length && room > 0 && roomBytes > 0; i += 1) {
      const at = all[(i + this.#turn) % all.length];
      if (at === undefined) continue;
      const { topic, partition, from } = at;
      const { records, next, sizeBytes } = log.read(topic, partition, from, room, roomBytes);
      if (next === from) continue;
      room -= records.length;
      roomBytes -= sizeBytes;
      const ofTopic = positions.get(topic) ?? [...(this.#held.get(topic) ?? [])];
      ofTopic[partition] = next;
      positions.set(topic, ofTopic);
      for (const record of records) {
        const sorted = sortMessage({ ...record, topic, partition, offset: BigInt(record.offset) });
        if ('message' in sorted) messages.push(sorted.message);
        else if ('deadLetter' in sorted) deadLetters.push(sorted.deadLetter);
        else this.#options.onError(sorted.error);
      }
    }
    return { messages, deadLetters, positions };
  }

  /** Whether the batch was handled; it was not when the consumer closes, or lost a topic of it to another. */
  async #deliver(batch: Batch): Promise<boolean> {
    for (let failures = 1; ; failures += 1) {
      try {
        await this.#options.onBatch(batch.messages);
        return true;
      } catch (error) {
        this.#options.onError(error);
      }
      await this.#pause(backOffMs(RETRY, failures));
      if (this.#closing || [...batch.positions.keys()].some((topic) => !this.#held.has(topic))) return false;
    }
  }

  async #commit({ positions, deadLetters }: Batch): Promise<void> {
    const { log, doorbell, now, onDeadLetter } = this.#dependencies;
    const kept = await log.transact(() => {
      const topics = [...positions.keys()].filter((topic) => this.#owns(topic));
      for (const topic of topics) this.#writeHold(topic, positions.get(topic) ?? []);
      for (const { topic, message } of deadLetters) {
        if (topics.includes(topic)) log.append(deadLetterTopic(topic), 0, [message], now());
      }
      return topics;
    });
    for (const [topic, committed] of positions) {
      if (kept.includes(topic)) this.#held.set(topic, committed);
      else this.#held.delete(topic);
    }
    const buried = deadLetters.filter(({ topic }) => kept.includes(topic));
    for (const { topic, reason } of buried) onDeadLetter(topic, reason);
    if (buried.length > 0) doorbell.ring();
  }

  #owns(topic: TopicName): boolean {
    return this.#dependencies.log.hold(this.#options.group, topic)?.owner === this.#id;
  }

  async #renew(): Promise<void> {
    if (this.#held.size === 0) return;
    try {
      const lost = await this.#dependencies.log.transact(() =>
        [...this.#held.keys()].filter((topic) => {
          const hold = this.#dependencies.log.hold(this.#options.group, topic);
          if (hold?.owner !== this.#id) return true;
          this.#writeHold(topic, hold.committed);
          return false;
        }),
      );
      for (const topic of lost) this.#held.delete(topic);
    } catch (error) {
      if (!this.#closing) this.#options.onError(error);
    }
  }

  /** Waits, but not on when the consumer closes. */
  async #pause(ms: number): Promise<void> {
    const until = performance.now() + ms;
    for (let left = ms; left > 0 && !this.#closing; left = until - performance.now()) {
      await this.#signal.wait(left);
    }
  }

  #offsetsNow(): Map<TopicName, readonly number[]> {
    const { log } = this.#dependencies;
    log.refresh();
    return new Map(
      this.#options.topics.map((topic) => [
        topic,
        partitionsOf(topic).map((partition) => log.nextOffset(topic, partition)),
      ]),
    );
  }

  #committed(topic: TopicName): readonly number[] {
    return (
      this.#starts.get(topic) ?? this.#dependencies.log.hold(this.#options.group, topic)?.committed ?? []
    );
  }

  #resolveWaiters(): void {
    for (const waiter of this.#waiters) {
      const done = [...waiter.target].every(([topic, target]) => {
        const committed = this.#committed(topic);
        return target.every((offset, partition) => (committed[partition] ?? 0) >= offset);
      });
      if (!done) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }

  caughtUp(): Promise<void> {
    if (this.#closing) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#waiters.add({ target: this.#offsetsNow(), resolve, reject });
      this.#signal.notify();
    });
  }

  async lag(): Promise<number> {
    if (this.#closing) throw closedError();
    let lag = 0;
    for (const [topic, offsets] of this.#offsetsNow()) {
      const committed = this.#committed(topic);
      for (const [partition, offset] of offsets.entries()) {
        lag += Math.max(0, offset - (committed[partition] ?? 0));
      }
    }
    return lag;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#closing = true;
    this.#signal.notify();
    clearInterval(this.#renewals);
    await this.#loop;
    this.#stopListening();
    for (const waiter of this.#waiters) waiter.reject(closedError());
    this.#waiters.clear();
    const { log, doorbell, now } = this.#dependencies;
    await log.transact(() => {
      for (const [topic, committed] of this.#held) {
        if (!this.#owns(topic)) continue;
        log.setHold(this.#options.group, topic, { owner: '', pid: 0, expiresAtMs: now(), committed });
      }
    });
    // Who stands by takes over at once.
    doorbell.ring();
  }
}

function closedError(): QuanrenError {
  return new QuanrenError('unavailable', 'The subscription is closed.');
}
