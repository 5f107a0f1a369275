import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamClock } from './stream-clock.js';

test('fresh while the proof of life is young, then stale since that proof', () => {
  const clock = new StreamClock(5_000);
  assert.equal(clock.isFresh(0), false, 'nothing was ever heard');
  clock.advance(1_000, 1_000);
  assert.equal(clock.freshness(6_000), 'fresh');
  assert.equal(clock.freshness(6_001), 1_000);
  clock.advance(500, 7_000);
  assert.equal(clock.freshness(7_000), 1_000, 'an older proof moves nothing');
  clock.advance(99_000, 8_000);
  assert.equal(clock.freshness(13_001), 8_000, 'a clock that is ahead is not believed');
});
