import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { readFailure } from './read-failure.js';

test('what callers can do something about is told as it is', () => {
  for (const code of ['unavailable', 'overloaded'] as const) {
    const error = new QuanrenError(code, 'HBase is away.');
    assert.equal(readFailure(error, assert.ifError), error);
  }
});

test('a set-up that is wrong, and what nobody expected, are answers that could not be established', () => {
  const missing = readFailure(new QuanrenError('set_up', 'There is no HBase table.'), assert.ifError);
  assert.deepEqual([missing.code, missing.message], ['unavailable', 'There is no HBase table.']);
  const heard: unknown[] = [];
  const defect = new TypeError('x is not a function');
  const unexpected = readFailure(defect, (error) => heard.push(error));
  assert.deepEqual([unexpected.code, unexpected.message], ['unavailable', 'The store could not be read.']);
  assert.deepEqual(heard, [defect]);
});
