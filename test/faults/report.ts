/** What a scene did to those who asked. */
import type { Kind, Observation, Outcome } from './load.js';

/** After so long the gateway knows what is away, and says so at once. */
export const DETECTION_MS = 500;
/** A gateway is back to normal when for so long nobody was refused, failed, or told `stale`. */
const CALM_MS = 1_000;

export interface Moments {
  /** Epoch milliseconds when the fault began, when what was hurt answered again, and when the scene ended. */
  readonly struckMs: number;
  readonly mendedMs: number;
  readonly endedMs: number;
}

export interface SceneReport {
  readonly requests: number;
  readonly wrong: number;
  readonly firstWrong: string | undefined;
  readonly firstFailure: string | undefined;
  /** Of the requests for users that are cached: those that got an answer. */
  readonly steadyAnswered: number;
  /** And of those, the ones that said `stale`. */
  readonly steadyStale: number;
  readonly changingAnswered: number;
  readonly newAnswered: number;
  /** Milliseconds that the refusals took from DETECTION_MS on until the mending; NaN where there were none. */
  readonly refusedP50Ms: number;
  readonly refusedP99Ms: number;
  /** Milliseconds from the mending until all was normal; Infinity where it never was. */
  readonly recoveredMs: number;
}

const isNormal = (outcome: Outcome) => outcome === 'fresh';
const isAnswered = (outcome: Outcome) => outcome === 'fresh' || outcome === 'stale';

function share(of: readonly Observation[], test: (outcome: Outcome) => boolean): number {
  return of.length === 0 ? 1 : of.filter(({ outcome }) => test(outcome)).length / of.length;
}

function quantile(times: readonly number[], part: number): number {
  return times.toSorted((a, b) => a - b)[Math.ceil(part * times.length) - 1] ?? Number.NaN;
}

export function reportOf(
  observations: readonly Observation[],
  { struckMs, mendedMs, endedMs }: Moments,
): SceneReport {
  const scene = observations.filter(({ atMs }) => atMs >= struckMs && atMs < endedMs);
  const of = (kind: Kind) => scene.filter((each) => each.kind === kind);
  const refusals = scene
    .filter(
      ({ outcome, atMs }) => outcome === 'refused' && atMs >= struckMs + DETECTION_MS && atMs < mendedMs,
    )
    .map(({ tookMs }) => tookMs);
  const lastAbnormalMs = scene
    .filter(({ outcome, atMs }) => atMs >= mendedMs && !isNormal(outcome))
    .reduce((last, { atMs }) => Math.max(last, atMs), mendedMs);
  const wrong = scene.filter(({ outcome }) => outcome === 'wrong');
  return {
    requests: scene.length,
    wrong: wrong.length,
    firstWrong: wrong[0]?.detail,
    firstFailure: scene.find(({ outcome }) => outcome === 'failed')?.detail,
    steadyAnswered: share(of('steady'), isAnswered),
    steadyStale: share(of('steady'), (outcome) => outcome === 'stale'),
    changingAnswered: share(of('changing'), isAnswered),
    newAnswered: share(of('new'), isAnswered),
    refusedP50Ms: quantile(refusals, 0.5),
    refusedP99Ms: quantile(refusals, 0.99),
    recoveredMs: endedMs - lastAbnormalMs < CALM_MS ? Number.POSITIVE_INFINITY : lastAbnormalMs - mendedMs,
  };
}
