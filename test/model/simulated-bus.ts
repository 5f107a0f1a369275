/** The event bus of the model: logs of messages, and subscriptions whose every delivery is a choice of the schedule. */
import type { EventBus, Message, SubscribeOptions, Subscription } from '../../events/event-bus.js';
import { partitionOf } from '../../events/partition.js';
import { type TopicName, topicSpec } from '../../events/topics.js';
import type { Random } from '../differential/random.js';

export interface LoggedMessage {
  readonly message: Message;
  /** By user, the newest version of his crowds that this message tells of; 0 where it tells nothing of him. */
  readonly versions: readonly number[];
}

export class SimulatedBus {
  readonly #logs = new Map<TopicName, LoggedMessage[][]>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  log(topic: TopicName): LoggedMessage[][] {
    let log = this.#logs.get(topic);
    if (log === undefined) {
      log = Array.from({ length: topicSpec(topic).partitions }, () => []);
      this.#logs.set(topic, log);
    }
    return log;
  }

  append(
    topic: TopicName,
    key: string,
    value: unknown,
    versions: readonly number[],
    partition?: number,
  ): void {
    const log = this.log(topic);
    const at = partition ?? partitionOf(key, log.length);
    const messages = log[at] as LoggedMessage[];
    const offset = BigInt(messages.length);
    messages.push({
      message: { topic, partition: at, offset, key, value, timestampMs: this.#now() },
      versions,
    });
  }

  /** By user, the newest version that any message tells of. */
  newestVersions(users: number): number[] {
    const versions = new Array<number>(users).fill(0);
    for (const messages of this.log('membership-changes')) {
      for (const each of messages) {
        each.versions.forEach((version, user) => {
          if (version > (versions[user] as number)) versions[user] = version;
        });
      }
    }
    return versions;
  }

  /** The bus as one gateway sees it. */
  connect(hooks: {
    readonly onSubscription: (subscription: SimulatedSubscription) => void;
    /** Hears what the batch in hand tells of, before it is handled. */
    readonly onBatch: (versions: readonly (readonly number[])[]) => void;
    /** Hears when someone begins to wait for what is in the topic now. */
    readonly onCaughtUp: (topic: TopicName) => void;
  }): Pick<EventBus, 'subscribe'> {
    return {
      subscribe: (options) => {
        const subscription = new SimulatedSubscription(this, options, hooks.onBatch, hooks.onCaughtUp);
        hooks.onSubscription(subscription);
        return Promise.resolve(subscription);
      },
    };
  }
}

export class SimulatedSubscription implements Subscription {
  readonly #options: SubscribeOptions;
  readonly #onBatch: (versions: readonly (readonly number[])[]) => void;
  readonly #onCaughtUp: (topic: TopicName) => void;
  readonly #topic: TopicName;
  readonly #log: readonly LoggedMessage[][];
  readonly #positions: number[];
  #waiters: { readonly target: readonly number[]; readonly resolve: () => void }[] = [];
  #isBusy = false;
  isClosed = false;

  constructor(
    bus: SimulatedBus,
    options: SubscribeOptions,
    onBatch: (versions: readonly (readonly number[])[]) => void,
    onCaughtUp: (topic: TopicName) => void,
  ) {
    const [topic] = options.topics;
    if (topic === undefined) throw new Error('a subscription has a topic');
    this.#topic = topic;
    this.#options = options;
    this.#onBatch = onBatch;
    this.#onCaughtUp = onCaughtUp;
    this.#log = bus.log(topic);
    const { start } = options;
    this.#positions = this.#log.map((messages) => {
      if (start.from === 'latest') return messages.length;
      if (start.from !== 'time') return 0;
      const first = messages.findIndex(({ message }) => message.timestampMs >= start.timestampMs);
      return first < 0 ? messages.length : first;
    });
  }

  get hasMore(): boolean {
    return (
      !this.isClosed &&
      !this.#isBusy &&
      this.#log.some((messages, partition) => messages.length > (this.#positions[partition] as number))
    );
  }

  /** Hands on some of what is there, of one partition or of several. */
  proceed(random: Random, all = false): void {
    const batch: LoggedMessage[] = [];
    const next = [...this.#positions];
    const first = random.int(next.length);
    for (let i = 0; i < next.length; i++) {
      const partition = (first + i) % next.length;
      const messages = this.#log[partition] as LoggedMessage[];
      const from = next[partition] as number;
      const to = all ? messages.length : Math.min(messages.length, from + 1 + random.int(3));
      batch.push(...messages.slice(from, to));
      next[partition] = to;
      if (!all && batch.length > 0 && random.chance(0.5)) break;
    }
    this.#isBusy = true;
    this.#onBatch(batch.map(({ versions }) => versions));
    void this.#options.onBatch(batch.map(({ message }) => message)).then(() => {
      this.#isBusy = false;
      next.forEach((position, partition) => {
        this.#positions[partition] = position;
      });
      this.#resolveWaiters();
    });
  }

  /** What was handled comes again: its commit was lost. */
  rewind(random: Random): void {
    if (this.#isBusy) return;
    const partition = random.int(this.#positions.length);
    const position = this.#positions[partition] as number;
    this.#positions[partition] = Math.max(0, position - 1 - random.int(3));
  }

  caughtUp(): Promise<void> {
    this.#onCaughtUp(this.#topic);
    return new Promise((resolve) => {
      this.#waiters.push({ target: this.#log.map((messages) => messages.length), resolve });
      this.#resolveWaiters();
    });
  }

  lag(): Promise<number> {
    return Promise.resolve(0);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  #resolveWaiters(): void {
    this.#waiters = this.#waiters.filter(({ target, resolve }) => {
      const isDone = target.every((offset, partition) => (this.#positions[partition] as number) >= offset);
      if (isDone) resolve();
      return !isDone;
    });
  }
}
