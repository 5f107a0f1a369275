/** Proof that the stream of membership changes is alive: one message to each of its partitions, every second. */
import type { EventBus } from './event-bus.js';
import type { MembershipMessage } from './messages.js';

export const HEARTBEAT_EVERY_MS = 1_000;

export interface HeartbeatOptions {
  readonly now?: () => number;
  readonly everyMs?: number;
  /** Asked before each beat: false while something is known that ought to have been published before it. */
  readonly mayBeat?: () => boolean;
  /** Hears of each beat that could not be sent; the next one is tried all the same. */
  readonly onError: (error: unknown) => void;
}

/** Starts the beats, the first at once. What it returns stops them, and resolves when the last one is sent. */
export function startHeartbeat(bus: EventBus, options: HeartbeatOptions): () => Promise<void> {
  const { now = Date.now, everyMs = HEARTBEAT_EVERY_MS, mayBeat = () => true, onError } = options;
  let inFlight: Promise<void> | undefined;
  const beat = () => {
    // A bus that is slow gets no queue of beats: one that waits already says all there is to say.
    if (inFlight !== undefined || !mayBeat()) return;
    const message: MembershipMessage = { type: 'heartbeat', sentAtMs: now() };
    inFlight = bus
      .broadcast('membership-changes', { key: 'heartbeat', value: message })
      .catch(onError)
      .finally(() => {
        inFlight = undefined;
      });
  };
  const timer = setInterval(beat, everyMs);
  beat();
  return async () => {
    clearInterval(timer);
    await inFlight;
  };
}
