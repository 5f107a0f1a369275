/** Looks after the topics: each is made, or found to be as it must be, before it is first used. */
import type { Admin, ITopicConfig } from 'kafkajs';
import { QuanrenError } from '../../errors/quanren-error.js';
import { MAX_MESSAGE_BYTES } from '../message-checks.js';
import { deadLetterTopic, isBaseTopic, type TopicName, topicSpec } from '../topics.js';
import type { AskAdmin } from './admin-desk.js';

/** What a record adds to its value: its key, its headers, and those of its batch. */
const RECORD_OVERHEAD_BYTES = 64 * 1024;

/** `ConfigResource.Type.TOPIC` of Kafka; kafkajs does not show its own name for it to ES modules. */
const TOPIC_RESOURCE = 2;

export class TopicKeeper {
  readonly #ask: AskAdmin;
  readonly #nameOf: (topic: TopicName) => string;
  /** What is known to be there, and what is being looked after. */
  readonly #kept = new Map<TopicName, Promise<void>>();

  constructor(ask: AskAdmin, nameOf: (topic: TopicName) => string) {
    this.#ask = ask;
    this.#nameOf = nameOf;
  }

  /** Throws `set_up` where a topic is not as it must be, `unavailable` where Kafka is away; then it is tried anew. */
  async keep(topics: readonly TopicName[]): Promise<void> {
    const missing = topics.filter((topic) => !this.#kept.has(topic));
    if (missing.length > 0) {
      const keeping = this.#ask('looking after topics', (admin) => this.#createOrCheck(admin, missing));
      for (const topic of missing) this.#kept.set(topic, keeping);
      keeping.catch(() => {
        for (const topic of missing) this.#kept.delete(topic);
      });
    }
    await Promise.all(topics.map((topic) => this.#kept.get(topic) ?? Promise.resolve()));
  }

  async #createOrCheck(admin: Admin, topics: readonly TopicName[]): Promise<void> {
    const all = [...topics, ...topics.filter(isBaseTopic).map(deadLetterTopic)];
    const there = new Set(await admin.listTopics());
    const absent = all.filter((topic) => !there.has(this.#nameOf(topic)));
    if (absent.length > 0) {
      // Where another process was quicker, this changes nothing.
      await admin.createTopics({ topics: absent.map((topic) => this.#definitionOf(topic)) });
    }
    await this.#check(admin, all);
  }

  #definitionOf(topic: TopicName): ITopicConfig {
    const { partitions, isCompacted, keptMs } = topicSpec(topic);
    const entries = {
      'cleanup.policy': [
        ...(isCompacted ? ['compact'] : []),
        ...(keptMs === undefined ? [] : ['delete']),
      ].join(),
      'retention.ms': String(keptMs ?? -1),
      'max.message.bytes': String(MAX_MESSAGE_BYTES + RECORD_OVERHEAD_BYTES),
      // One clock for all publishers: a message's time is when the broker took it.
      'message.timestamp.type': 'LogAppendTime',
    };
    return {
      topic: this.#nameOf(topic),
      numPartitions: partitions,
      // As the broker has it in default.replication.factor.
      replicationFactor: -1,
      configEntries: Object.entries(entries).map(([name, value]) => ({ name, value })),
    };
  }

  /** Partitions and compaction decide whether messages keep their order and are kept at all. */
  async #check(admin: Admin, topics: readonly TopicName[]): Promise<void> {
    const { topics: found } = await admin.fetchTopicMetadata({ topics: topics.map(this.#nameOf) });
    for (const topic of topics) {
      const name = this.#nameOf(topic);
      const count = found.find((each) => each.name === name)?.partitions.length;
      const { partitions } = topicSpec(topic);
      if (count !== partitions) {
        throw new QuanrenError(
          'set_up',
          `The Kafka topic ${name} must have ${partitions} partitions, not ${count}.`,
        );
      }
    }
    const keptForEver = topics.filter((topic) => topicSpec(topic).keptMs === undefined).map(this.#nameOf);
    if (keptForEver.length === 0) return;
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: keptForEver.map((name) => ({
        type: TOPIC_RESOURCE,
        name,
        configNames: ['cleanup.policy'],
      })),
    });
    for (const { resourceName, configEntries } of resources) {
      const policy = configEntries.find((entry) => entry.configName === 'cleanup.policy')?.configValue;
      if (policy !== 'compact') {
        throw new QuanrenError(
          'set_up',
          `The Kafka topic ${resourceName} must have the cleanup.policy compact, not ${policy}.`,
        );
      }
    }
  }
}
