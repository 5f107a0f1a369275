import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { readFailure } from './read-failure.js';

test('what callers can do something about is told as it is', () => {
  for (const code of ['unavailable', 'overloaded'] as const) {
    const error = new QuanrenError(code, 'HBase is away.');
    assert.equal(readFailure(error), error);
  }
});

test('a set-up that is wrong, and what nobody expected, are answers that could not be established', () => {
  const missing = readFailure(new QuanrenError('set_up', 'There is no HBase table.'));
  assert.deepEqual([missing.code, missing.message], ['unavailable', 'There is no HBase table.']);
  const unexpected = readFailure(new TypeError('x is not a function'));
  assert.deepEqual([unexpected.code, unexpected.message], ['unavailable', 'The store could not be read.']);
});
