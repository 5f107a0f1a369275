/**
 * How far the stream of membership changes has been applied: by partition, the last message. It and those before it are held
 * by whoever applied them. Before it is what is so by both, its offset and the time at which the bus took it: offsets begin anew
 * in a bus that was made anew, and a clock that was set back cannot make them smaller.
 */
import type { Message } from '../../events/event-bus.js';

export interface StreamPosition {
  readonly partition: number;
  readonly offset: number;
  /** Epoch milliseconds, the bus's clock. */
  readonly timestampMs: number;
}

/** At most one of each partition; of a partition without one nothing is known to be applied. Plain data, for IPC and files. */
export type StreamPositions = readonly StreamPosition[];

export function positionOf({ partition, offset, timestampMs }: Message): StreamPosition {
  return { partition, offset: Number(offset), timestampMs };
}

/** Whether the message is at its partition's position or before. */
export function isHeld(message: Message, positions: StreamPositions): boolean {
  const last = positions.find(({ partition }) => partition === message.partition);
  if (last === undefined) return false;
  return message.offset <= last.offset && message.timestampMs <= last.timestampMs;
}

/** What every one of them holds; nothing where there are none. */
export function heldByAll(all: readonly StreamPositions[]): StreamPositions {
  const [first = [], ...others] = all;
  return others.reduce(
    (held, next) =>
      held.flatMap((one) => {
        const other = next.find(({ partition }) => partition === one.partition);
        if (other === undefined) return [];
        const offset = Math.min(one.offset, other.offset);
        return [{ ...one, offset, timestampMs: Math.min(one.timestampMs, other.timestampMs) }];
      }),
    first,
  );
}
