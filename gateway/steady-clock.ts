/**
 * The gateway's clock: epoch milliseconds as the system had them when the gateway started, going on evenly from there,
 * the same in all its processes. Someone may set the system's clock meanwhile: measured by that, a step back would make
 * a stream that is silent look alive for as long as the step is.
 *
 * A clock that was wrong at the start stays so until the gateway is started again: answers are then said to be stale
 * (it is ahead), or a stream that lags is noticed late (it is behind). `quanren_gateway_stream_staleness_seconds` shows it.
 */

/** Plain data: the main process takes it, and tells its workers. */
export interface ClockAnchor {
  /** Epoch milliseconds, by the system's clock, at the moment of `monotonicMs`. */
  readonly epochMs: number;
  /** Of CLOCK_MONOTONIC, which the processes of one machine share (process.hrtime). */
  readonly monotonicMs: number;
}

function monotonicMs(): number {
  const [seconds, nanos] = process.hrtime();
  return seconds * 1_000 + nanos / 1e6;
}

export function anchorClock(): ClockAnchor {
  return { epochMs: Date.now(), monotonicMs: monotonicMs() };
}

/** Whole milliseconds, as Date.now() has them. */
export function steadyClock(anchor: ClockAnchor): () => number {
  const origin = anchor.epochMs - anchor.monotonicMs + monotonicMs() - performance.now();
  return () => Math.floor(origin + performance.now());
}
