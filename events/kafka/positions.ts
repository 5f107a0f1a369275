/** By topic, the offset of each partition: of the next message to be handled, or of the next to be published. */
import type { TopicName } from '../topics.js';

export class Positions {
  readonly #offsets: ReadonlyMap<TopicName, bigint[]>;

  /** Index: the partition. */
  constructor(offsets: Iterable<readonly [TopicName, readonly bigint[]]>) {
    this.#offsets = new Map([...offsets].map(([topic, ofTopic]) => [topic, [...ofTopic]]));
  }

  get(topic: TopicName, partition: number): bigint {
    return this.#offsets.get(topic)?.[partition] ?? 0n;
  }

  set(topic: TopicName, partition: number, offset: bigint): void {
    const ofTopic = this.#offsets.get(topic);
    if (ofTopic !== undefined) ofTopic[partition] = offset;
  }

  *entries(): Generator<{ topic: TopicName; partition: number; offset: bigint }> {
    for (const [topic, ofTopic] of this.#offsets) {
      for (const [partition, offset] of ofTopic.entries()) yield { topic, partition, offset };
    }
  }

  /** How many offsets `behind` has still to go to be here, over all partitions. */
  distanceFrom(behind: Positions): number {
    let distance = 0n;
    for (const { topic, partition, offset } of this.entries()) {
      const gap = offset - behind.get(topic, partition);
      if (gap > 0n) distance += gap;
    }
    return Number(distance);
  }
}
