import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { getZone } from '../../rules/zone.js';
import { findDueCrowds, type ScheduledCrowd, startScheduler } from './scheduler.js';

const zone = getZone('Asia/Shanghai');
const at = (text: string) => Date.parse(`${text}+08:00`);
const crowd = (crowdCode: string, more: Partial<ScheduledCrowd> = {}): ScheduledCrowd => ({
  crowdCode,
  status: 'active',
  scheduleCron: '0 0 2 * * ?',
  countFromMs: at('2026-11-23T01:00:00'),
  ...more,
});
const due = (crowds: readonly ScheduledCrowd[], now: string) =>
  findDueCrowds(crowds, at(now), zone, assert.ifError);

describe('findDueCrowds', () => {
  it('is due from the moment its schedule fires', () => {
    assert.deepEqual(due([crowd('a')], '2026-11-23T01:59:59.999'), []);
    assert.deepEqual(due([crowd('a')], '2026-11-23T02:00:00'), ['a']);
  });

  it('is due once, however many times it was missed', () => {
    assert.deepEqual(due([crowd('a')], '2026-12-23T12:00:00'), ['a']);
    const ran = crowd('a', { countFromMs: at('2026-12-23T12:00:00') });
    assert.deepEqual(due([ran], '2026-12-23T12:00:01'), []);
    assert.deepEqual(due([ran], '2026-12-24T02:00:00'), ['a']);
  });

  it('leaves out what is paused or has no schedule', () => {
    const crowds = [crowd('a', { status: 'paused' }), crowd('b', { scheduleCron: null }), crowd('c')];
    assert.deepEqual(due(crowds, '2026-11-23T02:00:00'), ['c']);
  });

  it('tells of a schedule that cannot be read, and goes on', () => {
    const errors: unknown[] = [];
    const crowds = [crowd('a', { scheduleCron: '0 0 2 * * 2' }), crowd('b')];
    assert.deepEqual(
      findDueCrowds(crowds, at('2026-11-23T02:00:00'), zone, (error) => errors.push(error)),
      ['b'],
    );
    assert.equal(errors.length, 1);
  });
});

describe('startScheduler', () => {
  /** A catalog of crowds that notes the runs asked for, as the platform's does. */
  function createPlatform(newestDt: string | null) {
    const crowds = new Map(
      [crowd('a'), crowd('b'), crowd('p', { status: 'paused' })].map((c) => [c.crowdCode, c]),
    );
    const state = {
      nowMs: at('2026-11-23T01:00:00'),
      newestDt,
      refusals: 0,
      runs: [] as string[],
      errors: 0,
    };
    const stop = startScheduler({
      zone,
      now: () => state.nowMs,
      lookEveryMs: 2,
      listCrowds: async () => [...crowds.values()],
      newestDt: async () => state.newestDt,
      startRun: async (codes, dt) => {
        if (state.refusals > 0) {
          state.refusals -= 1;
          throw new Error('full');
        }
        state.runs.push(`${codes.join('+')} ${dt}`);
        for (const code of codes) crowds.set(code, crowd(code, { countFromMs: state.nowMs }));
      },
      onError: () => {
        state.errors += 1;
      },
    });
    return { state, stop };
  }
  const LOOKS_MS = 60;
  async function until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (!condition()) {
      assert.ok(performance.now() < deadline, 'timed out');
      await delay(2);
    }
  }

  it('asks for one run of all that is due, on the newest partition, each time the schedule fires', async () => {
    const { state, stop } = createPlatform('2026-11-22');
    await delay(LOOKS_MS);
    assert.deepEqual(state.runs, []);
    state.nowMs = at('2026-11-23T02:00:00');
    await until(() => state.runs.length === 1);
    await delay(LOOKS_MS);
    state.newestDt = '2026-11-25';
    state.nowMs = at('2026-11-26T12:00:00');
    await until(() => state.runs.length === 2);
    await delay(LOOKS_MS);
    await stop();
    assert.deepEqual(state.runs, ['a+b 2026-11-22', 'a+b 2026-11-25']);
    assert.equal(state.errors, 0);
  });

  it('waits for a first partition, and asks again after a refusal', async () => {
    const { state, stop } = createPlatform(null);
    state.nowMs = at('2026-11-23T02:00:00');
    await delay(LOOKS_MS);
    assert.deepEqual(state.runs, []);
    state.refusals = 2;
    state.newestDt = '2026-11-22';
    await until(() => state.runs.length === 1);
    await stop();
    assert.deepEqual(state.runs, ['a+b 2026-11-22']);
    assert.equal(state.errors, 2);
  });

  it('stops', async () => {
    const { state, stop } = createPlatform('2026-11-22');
    await stop();
    state.nowMs = at('2026-11-23T02:00:00');
    await delay(LOOKS_MS);
    assert.deepEqual(state.runs, []);
  });
});
