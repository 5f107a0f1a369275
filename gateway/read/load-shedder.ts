/**
 * Whether a worker that is behind with its work takes on more: what it cannot answer soon is refused at once.
 *
 * A worker has one event loop, and what arrives while it is busy waits in the connections until its next turn. So a turn
 * is as long as those in the next one have waited, and its length says how far behind the worker is.
 *
 * - calm: everything is admitted. A turn of more than `LATE_MS` makes it late.
 * - late: everything is admitted; a shorter turn makes it calm. In a long turn after `GRACE_MS` this is no burst that
 *   passes but more than can be done, and it sheds (the rule of CoDel, RFC 8289, and of Maurer, "Fail at Scale", 2015).
 * - shedding: of each turn the first `WORK_MS` go to answers, so that nobody waits much longer than that; what is left is
 *   refused. A turn in which one request was alone makes it calm; but pauses come in the midst of a flood too, so for
 *   `WARY_MS` after it has shed for longer than a burst takes, a turn of `WARY_LATE_MS` makes it shed again, without grace.
 * - probing: after `PROBE_AFTER_MS` of shedding everything is admitted for up to `GRACE_MS`, and a long turn makes it shed
 *   again. Clients that wait for each answer may be too few to make long turns, and yet too many for one ever to be alone.
 *
 * To refuse costs the system calls of an answer. Where answers are cheap, refusing all that is too much would leave no time
 * for them; so it may take a tenth of the time (`REFUSING_SHARE`), and beyond that requests wait for their answers. Nine tenths
 * of what can be answered therefore always is, whatever is asked. For the same reason only reads of users that are not
 * cached are shed: a cached answer costs as much as a refusal.
 */
export interface LoadShedderOptions {
  /** Milliseconds, of a clock that only measures. */
  readonly stopwatch: () => number;
  /** Runs a function at the end of this turn of the event loop. */
  readonly atTurnEnd: (run: () => void) => void;
  readonly onShed: () => void;
}

/** For those who ask. */
export type Admission = Pick<LoadShedder, 'admits'>;

export const LATE_MS = 20;
export const GRACE_MS = 100;
export const WARY_MS = 5_000;
export const WARY_LATE_MS = 5;
/** Refusals are to come within 5 ms: who arrives in one turn is told in the next. */
export const WORK_MS = 2;
export const REFUSING_SHARE = 0.1;
/** What of that share was not used is kept up to this: enough to be rid of all that has come while it was late. */
const MOST_REFUSING_MS = 100;
/** Probing takes some 50 ms when it must go on: less than one request in a hundred meets it. */
export const PROBE_AFTER_MS = 30_000;

type State = 'calm' | 'late' | 'shedding' | 'probing';

export class LoadShedder {
  readonly #options: LoadShedderOptions;
  readonly #endTurn = () => this.#end();
  #state: State = 'calm';
  /** When the state began. */
  #sinceMs = 0;
  /** Until when an overload may only have paused. */
  #waryUntilMs = Number.NEGATIVE_INFINITY;
  #turnStartMs = 0;
  /** In this turn; 0 between turns. */
  #asked = 0;
  /** How long it may still refuse. */
  #refusingMs = MOST_REFUSING_MS;
  #wasAdmitted = true;
  #lastAskedMs = 0;

  constructor(options: LoadShedderOptions) {
    this.#options = options;
  }

  /** Asked for each user to be read. */
  admits(): boolean {
    const nowMs = this.#options.stopwatch();
    if (this.#asked === 0) {
      this.#turnStartMs = nowMs;
      this.#options.atTurnEnd(this.#endTurn);
    } else this.#account(nowMs - this.#lastAskedMs);
    this.#asked += 1;
    this.#lastAskedMs = nowMs;
    const elapsedMs = nowMs - this.#turnStartMs;
    if (this.#isTooLong(elapsedMs, nowMs)) this.#become('shedding', nowMs);
    this.#wasAdmitted = this.#state !== 'shedding' || elapsedMs < WORK_MS || this.#refusingMs <= 0;
    if (!this.#wasAdmitted) this.#options.onShed();
    return this.#wasAdmitted;
  }

  /** What was decided last has taken `tookMs`. */
  #account(tookMs: number): void {
    const leftMs = this.#refusingMs + (this.#wasAdmitted ? REFUSING_SHARE : REFUSING_SHARE - 1) * tookMs;
    this.#refusingMs = Math.min(MOST_REFUSING_MS, leftMs);
  }

  #isTooLong(elapsedMs: number, nowMs: number): boolean {
    if (this.#state === 'calm') return elapsedMs > WARY_LATE_MS && nowMs < this.#waryUntilMs;
    if (this.#state === 'late' && nowMs - this.#sinceMs <= GRACE_MS) return false;
    return this.#state !== 'shedding' && elapsedMs > LATE_MS;
  }

  #end(): void {
    const nowMs = this.#options.stopwatch();
    this.#account(nowMs - this.#lastAskedMs);
    const wasAlone = this.#asked === 1;
    const wasLong = !wasAlone && nowMs - this.#turnStartMs > LATE_MS;
    const lastedMs = nowMs - this.#sinceMs;
    this.#asked = 0;
    if (this.#state === 'calm') {
      if (wasLong) this.#become('late', nowMs);
    } else if (this.#state === 'late') {
      if (!wasLong) this.#become('calm', nowMs);
    } else if (wasAlone || (this.#state === 'probing' && lastedMs > GRACE_MS)) {
      if (this.#state === 'shedding' && lastedMs > GRACE_MS) this.#waryUntilMs = nowMs + WARY_MS;
      this.#become('calm', nowMs);
    } else if (this.#state === 'shedding' && lastedMs > PROBE_AFTER_MS) {
      this.#become('probing', nowMs);
    }
  }

  #become(state: State, nowMs: number): void {
    this.#state = state;
    this.#sinceMs = nowMs;
  }
}
