/** Changes that are published without a pause, and what those who consume them have seen. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { Message, Publish } from '../../events/event-bus.js';
import type { MembershipMessage } from '../../events/messages.js';

export const FLOW_TOPIC = 'membership-changes';

/** Of one publisher; enough that each partition has some. */
const uidsOf = (publisher: string) => Array.from({ length: 8 }, (_, i) => publisher + i);

/** The number goes as the time of the change. */
function change(uid: string, number: number): { key: string; value: MembershipMessage } {
  const value = {
    type: 'membership-changed',
    uid,
    crowdCode: 'vip',
    kind: 'enter',
    changeTimeMs: number,
  } as const;
  return { key: uid, value };
}

/** Publishes numbers, in order per uid, until it is stopped; says again what was not acknowledged. */
export function keepPublishing(
  publish: () => Promise<Publish>,
  publisher = 'u',
): {
  acknowledged: number[];
  stop: () => Promise<void>;
} {
  const acknowledged: number[] = [];
  let isStopped = false;
  const work = async () => {
    let send = await publish();
    for (let i = 0; !isStopped; ) {
      try {
        await send(
          FLOW_TOPIC,
          uidsOf(publisher).map((uid) => change(uid, i)),
        );
        acknowledged.push(i);
        i += 1;
        await delay(5);
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /^unavailable$/);
        await delay(50);
        send = await publish().catch(() => send);
      }
    }
  };
  const done = work();
  return {
    acknowledged,
    stop: async () => {
      isStopped = true;
      await done;
    },
  };
}

/** What each uid of a publisher was seen to say, in the order of the first time. */
export class Seen {
  readonly errors: unknown[] = [];
  readonly #values: ReadonlyMap<string, Set<number>>;
  repeated = 0;

  constructor(publisher = 'u') {
    this.#values = new Map(uidsOf(publisher).map((uid) => [uid, new Set()]));
  }

  take(messages: readonly Message[]): void {
    for (const { key, value } of messages) {
      const ofUid = this.#values.get(key);
      const number = (value as { changeTimeMs: number }).changeTimeMs;
      if (ofUid?.has(number)) this.repeated += 1;
      ofUid?.add(number);
    }
  }

  /** The last number of the uid that has got least far. */
  get newest(): number {
    return Math.min(...[...this.#values.values()].map((values) => [...values].at(-1) ?? -1));
  }

  check(acknowledged: readonly number[]): void {
    for (const [uid, values] of this.#values) {
      const missing = acknowledged.filter((value) => !values.has(value));
      assert.deepEqual(missing, [], `${uid} lacks what was acknowledged`);
      const numbers = [...values];
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
        `${uid} is out of order`,
      );
    }
  }
}
