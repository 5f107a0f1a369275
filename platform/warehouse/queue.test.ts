import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createQueue } from './queue.js';

test('one at a time, in order, and what fails does not hold up the others', async () => {
  const queue = createQueue(5, 'things');
  const events: string[] = [];
  const work = (name: string, fails = false) =>
    queue(async () => {
      events.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      events.push(`${name} ends`);
      if (fails) throw new Error(name);
    });
  const results = await Promise.allSettled([work('a'), work('b', true), work('c')]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(
    events,
    ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
});

test('no more wait than the bound', async () => {
  const queue = createQueue(1, 'things');
  const nothing = async () => {};
  const accepted = [queue(nothing), queue(nothing)];
  await assert.rejects(queue(nothing), { code: 'overloaded' });
  await Promise.all(accepted);
  await queue(nothing);
});
