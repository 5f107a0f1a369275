/**
 * Runs crowds when their schedules say so, on the newest complete partition of the wide table (of
 * real users before synthetic ones). A run that was missed
 * (the platform was down, the crowd was paused) is made up for once, however many times it was missed. Paused crowds do
 * not run.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Zone } from '../../rules/zone.js';
import { parseCron } from './cron-expression.js';
import { cronTimesAfter } from './cron-times.js';

export interface ScheduledCrowd {
  readonly crowdCode: string;
  readonly status: 'active' | 'paused';
  /** null: never runs by itself. */
  readonly scheduleCron: string | null;
  /** Epoch milliseconds: when its last scheduled run was asked for or, before the first, when the crowd was saved. */
  readonly countFromMs: number;
}

/**
 * The crowds that a schedule has come due for in (countFromMs, nowMs]. `onInvalid` hears of each schedule that cannot
 * be read; it holds up no other.
 */
export function findDueCrowds(
  crowds: readonly ScheduledCrowd[],
  nowMs: number,
  zone: Zone,
  onInvalid: (error: unknown) => void,
): string[] {
  return crowds
    .filter(({ status, scheduleCron, countFromMs }) => {
      if (status !== 'active' || scheduleCron === null) return false;
      try {
        return cronTimesAfter(parseCron(scheduleCron), zone, countFromMs, nowMs).next().done !== true;
      } catch (error) {
        onInvalid(error);
        return false;
      }
    })
    .map(({ crowdCode }) => crowdCode);
}

export interface SchedulerOptions {
  readonly zone: Zone;
  readonly listCrowds: () => Promise<readonly ScheduledCrowd[]>;
  /** The newest complete partition of the wide table, `1998-06-30`; null where there is none yet. */
  readonly newestDt: () => Promise<string | null>;
  /**
   * Asks for one run of these crowds, in one scan. Once it resolves, `listCrowds` must tell of it by `countFromMs`;
   * when it rejects, the run is asked for again at the next look.
   */
  readonly startRun: (crowdCodes: readonly string[], dt: string) => Promise<void>;
  /** Hears of what fails; the scheduler goes on. */
  readonly onError: (error: unknown) => void;
  readonly now?: () => number;
  /** Default 1,000: how late a run may start. */
  readonly lookEveryMs?: number;
}

/** Starts looking. What it returns stops that, and resolves when the look under way is done. */
export function startScheduler(options: SchedulerOptions): () => Promise<void> {
  const { lookEveryMs = 1_000, onError } = options;
  const stop = new AbortController();
  const looking = (async () => {
    while (!stop.signal.aborted) {
      await look(options).catch(onError);
      await delay(lookEveryMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return () => {
    stop.abort();
    return looking;
  };
}

async function look({ zone, listCrowds, newestDt, startRun, onError, now = Date.now }: SchedulerOptions) {
  const due = findDueCrowds(await listCrowds(), now(), zone, onError);
  if (due.length === 0) return;
  const dt = await newestDt();
  if (dt === null) return;
  await startRun(due, dt);
}
