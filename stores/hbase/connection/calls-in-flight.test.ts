import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CallsInFlight } from './calls-in-flight.js';

const MOST = 5;

test('is what a Map of ids that count up is', () => {
  const step = fc.oneof(fc.constant('add' as const), fc.nat(40));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const calls = new CallsInFlight<object>(MOST);
      const expected = new Map<number, object>();
      for (const each of steps) {
        if (each !== 'add') {
          assert.equal(calls.take(each), expected.get(each));
          expected.delete(each);
        } else if (expected.size < MOST) {
          const before = calls.lastId;
          const call = {};
          const id = calls.add(call);
          assert.ok(id > before && id === calls.lastId);
          expected.set(id, call);
        }
        assert.equal(calls.size, expected.size);
      }
      assert.deepEqual(new Set(calls.takeAll()), new Set(expected.values()));
      assert.deepEqual(calls.takeAll(), []);
      assert.equal(calls.size, 0);
    }),
  );
});

test('begins again at 1 after the last id, and gives none that is in use', () => {
  const calls = new CallsInFlight<object>(MOST, 2 ** 31 - 3);
  const ids = Array.from({ length: MOST }, () => calls.add({}));
  assert.deepEqual(ids, [2 ** 31 - 2, 2 ** 31 - 1, 1, 2, 3]);
  for (const id of ids) assert.notEqual(calls.take(id), undefined);
});

test('an answer to a call that is over is none to the one that has its place', () => {
  const calls = new CallsInFlight<object>(1);
  const over = calls.add({});
  calls.take(over);
  const ids = [calls.add({})];
  calls.take(ids[0] ?? 0);
  ids.push(calls.add({}));
  assert.equal(calls.take(over), undefined);
  assert.equal(calls.take(over + 2 ** 32), undefined);
  assert.notEqual(calls.take(ids[1] ?? 0), undefined);
});
