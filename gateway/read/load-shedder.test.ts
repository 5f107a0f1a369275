/** The shedder in an event loop that is simulated: turns that serve what has arrived, one request after the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LATE_MS, LoadShedder, PROBE_AFTER_MS, WORK_MS } from './load-shedder.js';

interface Load {
  /** Requests come at random times, so many a second on average, whether or not earlier ones were answered. */
  readonly perSecond: number;
  readonly seconds: number;
  /** Five times a second what comes within so many milliseconds comes at their end, as from clients that stutter. */
  readonly pauseMs?: number;
}

interface Report {
  readonly answered: readonly number[];
  readonly refused: readonly number[];
}

/** A worker that needs `workMs` to answer and `refusalMs` to refuse; times are from a request's arrival to its end. */
function createWorker(workMs: number, refusalMs: number, random: () => number) {
  let nowMs = 0;
  let endTurn: (() => void) | undefined;
  let sheds = 0;
  const shedder = new LoadShedder({
    stopwatch: () => nowMs,
    atTurnEnd: (run) => {
      endTurn = run;
    },
    onShed: () => {
      sheds += 1;
    },
  });
  const serve = (): boolean => {
    const isAdmitted = shedder.admits();
    nowMs += isAdmitted ? workMs : refusalMs;
    return isAdmitted;
  };
  const end = (): void => {
    endTurn?.();
    endTurn = undefined;
  };
  return {
    get sheds() {
      return sheds;
    },
    /** `stallMs`: so long the loop is once held by something else. */
    offer(
      { perSecond, seconds, pauseMs = 0 }: Load,
      stallAtMs = Number.POSITIVE_INFINITY,
      stallMs = 0,
    ): Report {
      const report = { answered: [] as number[], refused: [] as number[] };
      const endMs = nowMs + seconds * 1_000;
      const stallsAtMs = nowMs + stallAtMs;
      let hasStalled = false;
      const gapMs = () => (-Math.log(1 - random()) * 1_000) / perSecond;
      /** When it would have come without pauses. */
      let dueMs = nowMs + gapMs();
      const arrivalMs = () => Math.max(dueMs, dueMs - (dueMs % 200) + pauseMs);
      let nextMs = arrivalMs();
      const passOn = () => {
        dueMs += gapMs();
        nextMs = arrivalMs();
      };
      while (nextMs < endMs) {
        nowMs = Math.max(nowMs, nextMs);
        if (!hasStalled && nowMs > stallsAtMs) {
          hasStalled = true;
          nowMs += stallMs;
        }
        const readyUntilMs = nowMs;
        for (; nextMs <= readyUntilMs; passOn()) {
          const times = serve() ? report.answered : report.refused;
          times.push(nowMs - nextMs);
        }
        end();
      }
      return report;
    },
    /** So many clients that ask again as soon as they have their answer. */
    offerWaiting(clients: number, seconds: number): { answered: number; refused: number } {
      const report = { answered: 0, refused: 0 };
      const endMs = nowMs + seconds * 1_000;
      while (nowMs < endMs) {
        for (let i = 0; i < clients; i++) report[serve() ? 'answered' : 'refused'] += 1;
        end();
      }
      return report;
    },
  };
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const p99 = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.ceil(0.99 * times.length) - 1] ?? Number.NaN;

const [WORK, REFUSAL] = [0.15, 0.01];
const CAPACITY = 1_000 / WORK;

test('twice what it can do: nine tenths of it is answered, soon, and the rest is refused within 5 ms', () => {
  const worker = createWorker(WORK, REFUSAL, seeded(1));
  const nominal = worker.offer({ perSecond: 0.7 * CAPACITY, seconds: 30 });
  assert.equal(nominal.refused.length, 0);
  const { answered, refused } = worker.offer({ perSecond: 2 * CAPACITY, seconds: 60 });
  assert.ok(answered.length > 0.9 * 60 * CAPACITY, `${answered.length / 60 / CAPACITY} of the capacity`);
  assert.ok(p99(answered) < 3 * WORK_MS, `${p99(answered)} ms`);
  assert.ok(p99(refused) < 5, `${p99(refused)} ms`);
});

test('the same of clients that stutter: a pause is not the end of it', () => {
  const worker = createWorker(WORK, REFUSAL, seeded(6));
  const { answered, refused } = worker.offer({ perSecond: 2 * CAPACITY, seconds: 60, pauseMs: 10 });
  // In a twentieth of the time nothing comes.
  const share = answered.length / (0.95 * 60 * CAPACITY);
  assert.ok(share > 0.9, `${share} of the capacity`);
  assert.ok(p99(answered) < 3 * WORK_MS, `${p99(answered)} ms`);
  assert.ok(p99(refused) < 5, `${p99(refused)} ms`);
});

test('when the load is gone it refuses nothing, at once', () => {
  const worker = createWorker(WORK, REFUSAL, seeded(2));
  worker.offer({ perSecond: 2 * CAPACITY, seconds: 2 });
  assert.ok(worker.sheds > 0);
  worker.offer({ perSecond: 0.7 * CAPACITY, seconds: 0.2 });
  const before = worker.sheds;
  worker.offer({ perSecond: 0.7 * CAPACITY, seconds: 30 });
  assert.equal(worker.sheds, before);
});

test('a burst after a stall is answered', () => {
  const worker = createWorker(WORK, REFUSAL, seeded(3));
  const { refused } = worker.offer({ perSecond: 0.7 * CAPACITY, seconds: 10 }, 5_000, 50);
  assert.equal(refused.length, 0);
});

test('whatever an answer costs and however much is asked, nine tenths of the time go to answers', () => {
  const costs = {
    workMs: fc.double({ min: 0.02, max: 5, noNaN: true }),
    share: fc.double({ min: 0.01, max: 1, noNaN: true }),
  };
  fc.assert(
    fc.property(
      fc.record({ ...costs, clients: fc.integer({ min: 1, max: 5_000 }) }),
      ({ workMs, share, clients }) => {
        const worker = createWorker(workMs, share * workMs, seeded(4));
        const { answered } = worker.offerWaiting(clients, 15);
        // But for what it may refuse at once.
        assert.ok((answered * workMs) / 15_000 > 0.89, `${(answered * workMs) / 15_000}`);
      },
    ),
    { numRuns: 20 },
  );
});

test('clients that wait for each answer and are soon served are left alone, also after an overload', () => {
  const worker = createWorker(WORK, REFUSAL, seeded(5));
  const few = Math.floor(LATE_MS / WORK) - 10;
  assert.equal(worker.offerWaiting(few, 5).refused, 0);
  worker.offer({ perSecond: 2 * CAPACITY, seconds: 2 });
  worker.offerWaiting(few, PROBE_AFTER_MS / 1_000);
  assert.equal(worker.offerWaiting(few, 5).refused, 0);
});
