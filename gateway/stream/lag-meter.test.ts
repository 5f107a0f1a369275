import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LagMeter } from './lag-meter.js';

it('the lag is what the bus last said, one question at a time, and nothing where it says nothing', async () => {
  const answers: (() => Promise<number>)[] = [
    async () => 7,
    () => Promise.reject(new Error('away')),
    async () => 3,
  ];
  let asked = 0;
  let isAsking = false;
  const meter = new LagMeter(async () => {
    assert.equal(isAsking, false);
    isAsking = true;
    await delay(15);
    isAsking = false;
    const answer = answers[Math.min(asked, answers.length - 1)];
    asked += 1;
    return answer?.() ?? 0;
  }, 5);
  const seen: (number | undefined)[] = [meter.messages];
  while (asked < 4) {
    await delay(1);
    if (seen.at(-1) !== meter.messages) seen.push(meter.messages);
  }
  meter.stop();
  assert.deepEqual(seen, [undefined, 7, undefined, 3]);
});
