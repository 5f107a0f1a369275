/** What a scene did to those who asked. */
import { quantile } from '../support/quantile.js';
import type { Kind, Observation, Outcome } from './load.js';
import type { Delay } from './yardstick.js';

/** After so long the gateway knows what is away, and says so at once. */
export const DETECTION_MS = 500;
/** A gateway is back to normal when for so long nobody was refused, failed, or told `stale`. */
const CALM_MS = 1_000;

export interface Moments {
  /** Epoch milliseconds when the fault began, when it was over, when what was hurt answered again, and when the scene ended. */
  readonly struckMs: number;
  readonly overMs: number;
  readonly mendedMs: number;
  readonly endedMs: number;
}

export interface SceneReport {
  readonly requests: number;
  readonly wrong: number;
  readonly firstWrong: string | undefined;
  readonly firstFailure: string | undefined;
  /** By what they were told, how many were refused. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Of the requests for users that are cached: those that got an answer. Here and below, from gateways that were not hurt. */
  readonly answered: number;
  /** The same of the gateway that was hurt, where one was. */
  readonly answeredByHurt: number | undefined;
  /** Of those that were answered, the ones that said `stale`. */
  readonly stale: number;
  /** From DETECTION_MS on, of all users: those who got no answer and no refusal, and whom nobody could be asked for. */
  readonly failed: number;
  readonly changingAnswered: number;
  readonly newAnswered: number;
  /**
   * Milliseconds that the refusals took from DETECTION_MS on until the fault was over; undefined where there were none. Later
   * JVMs that start or catch up take the cores from everyone.
   */
  readonly refusedP50Ms: number | undefined;
  readonly refusedP99Ms: number | undefined;
  /** What the answers for users that are cached took meanwhile: a refusal is to wait for no more than they do. */
  readonly cachedP99Ms: number | undefined;
  /** What asking a process that answers at once took meanwhile. */
  readonly promptP99Ms: number | undefined;
  /** Milliseconds from the mending until all was normal, with all gateways; Infinity where it never was. */
  readonly recoveredMs: number;
}

const isAnswered = (outcome: Outcome) => outcome === 'fresh' || outcome === 'stale';

function share(of: readonly Observation[], test: (outcome: Outcome) => boolean): number {
  return of.length === 0 ? 1 : of.filter(({ outcome }) => test(outcome)).length / of.length;
}

/** The sentence of a problem document, without its numbers. */
function reasonOf(body = ''): string {
  const { detail } = JSON.parse(body) as { detail: string };
  return detail.replaceAll(/\d+/g, 'N');
}

function countBy(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Whether nobody who asked from `sinceMs` on was told anything but `fresh`. */
export function isCalmSince(observations: readonly Observation[], sinceMs: number): boolean {
  return !observations.some(({ atMs, outcome }) => atMs >= sinceMs && outcome !== 'fresh');
}

/** `hurt`: the gateway that the fault was about. */
export function reportOf(
  observations: readonly Observation[],
  delays: readonly Delay[],
  { struckMs, overMs, mendedMs, endedMs }: Moments,
  hurt: number | undefined,
): SceneReport {
  const all = observations.filter(({ atMs }) => atMs >= struckMs && atMs < endedMs);
  const scene = all.filter(({ gateway }) => gateway !== hurt);
  const of = (kind: Kind) => scene.filter((each) => each.kind === kind);
  const isDetected = ({ atMs }: Delay) => atMs >= struckMs + DETECTION_MS && atMs < overMs;
  const refusals = scene
    .filter((each) => each.outcome === 'refused' && isDetected(each))
    .map(({ tookMs }) => tookMs);
  const cached = of('steady')
    .filter((each) => isAnswered(each.outcome) && isDetected(each))
    .map(({ tookMs }) => tookMs);
  const prompt = delays.filter(isDetected).map(({ tookMs }) => tookMs);
  const lastAbnormalMs = all
    .filter(({ outcome, atMs }) => atMs >= mendedMs && outcome !== 'fresh')
    .reduce((last, { atMs }) => Math.max(last, atMs), mendedMs);
  const wrong = all.filter(({ outcome }) => outcome === 'wrong');
  const hurtSteady = all.filter(({ gateway, kind }) => gateway === hurt && kind === 'steady');
  return {
    requests: all.length,
    wrong: wrong.length,
    firstWrong: wrong[0]?.detail,
    firstFailure: scene.find(({ outcome }) => outcome === 'failed')?.detail,
    refusals: countBy(
      scene.flatMap(({ outcome, detail }) => (outcome === 'refused' ? reasonOf(detail) : [])),
    ),
    answered: share(of('steady'), isAnswered),
    answeredByHurt: hurt === undefined ? undefined : share(hurtSteady, isAnswered),
    stale: share(of('steady'), (outcome) => outcome === 'stale'),
    failed: scene.filter(
      ({ outcome, atMs }) =>
        (outcome === 'failed' || outcome === 'unsent') && atMs >= struckMs + DETECTION_MS,
    ).length,
    changingAnswered: share(of('changing'), isAnswered),
    newAnswered: share(of('new'), isAnswered),
    refusedP50Ms: quantile(refusals, 0.5),
    refusedP99Ms: quantile(refusals, 0.99),
    cachedP99Ms: quantile(cached, 0.99),
    promptP99Ms: quantile(prompt, 0.99),
    recoveredMs: endedMs - lastAbnormalMs < CALM_MS ? Number.POSITIVE_INFINITY : lastAbnormalMs - mendedMs,
  };
}

export interface Row extends SceneReport {
  readonly name: string;
  /** Of the largest gateway, main process and workers, at the end of the scene. */
  readonly residentMib: number;
}

const percent = (part: number) => `${Number((part * 100).toFixed(2))}%`;
const ms = (time: number | undefined) =>
  time === undefined ? '' : time === Number.POSITIVE_INFINITY ? 'never' : time.toFixed(time < 10 ? 1 : 0);

/** Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const head = [
    ...['scene', 'requests', 'wrong', 'cached users answered', 'stale', 'back to normal, ms'],
    ...['refusals p50, ms', 'p99', 'p99 of cached answers', 'of a process that answers at once', 'MiB'],
  ];
  const cells = rows.map((row) => [
    row.name,
    row.requests,
    row.wrong,
    row.answeredByHurt === undefined
      ? percent(row.answered)
      : `${percent(row.answered)}; of the hurt one ${percent(row.answeredByHurt)}`,
    percent(row.stale),
    ms(row.recoveredMs),
    ms(row.refusedP50Ms),
    ms(row.refusedP99Ms),
    row.refusedP99Ms === undefined ? '' : ms(row.cachedP99Ms),
    row.refusedP99Ms === undefined ? '' : ms(row.promptP99Ms),
    Math.round(row.residentMib),
  ]);
  const lines = [head, head.map(() => '---'), ...cells];
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}
