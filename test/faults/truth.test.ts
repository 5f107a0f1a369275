import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Truth } from './truth.js';

const yes = (asOf: 'fresh' | number) => ({ isMatch: true, asOf });
const no = (asOf: 'fresh' | number) => ({ isMatch: false, asOf });

test('an answer is right as long as it may have been true within the bound', () => {
  const truth = new Truth(5_000);
  assert.equal(truth.isRight('u', no('fresh'), 0), true);
  assert.equal(truth.isRight('u', yes('fresh'), 0), false);
  truth.write('u', false, 0)(10);
  const acknowledge = truth.write('u', true, 1_000);
  assert.equal(truth.isRight('u', yes('fresh'), 1_001), true, 'under way');
  assert.equal(
    truth.isRight('u', no('fresh'), 100_000),
    true,
    'never acknowledged: it may not have been done',
  );
  acknowledge(2_000);
  assert.equal(truth.isRight('u', no('fresh'), 7_000), true);
  assert.equal(truth.isRight('u', no('fresh'), 7_001), false);
  assert.equal(truth.isRight('u', no(2_000), 60_000), true);
  assert.equal(truth.isRight('u', no(2_001), 60_000), false);
  assert.equal(truth.isRight('u', yes('fresh'), 60_000), true);
});

test('what failed may be true until a later write is acknowledged', () => {
  const truth = new Truth(5_000);
  truth.write('u', false, 0)(1);
  truth.write('u', true, 10);
  truth.write('u', false, 20)(30);
  assert.equal(truth.isRight('u', yes('fresh'), 5_030), true);
  assert.equal(truth.isRight('u', yes('fresh'), 5_031), false);
  assert.equal(truth.isRight('u', no('fresh'), 5_031), true);
});
