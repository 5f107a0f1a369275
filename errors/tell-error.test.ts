import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { QuanrenError } from './quanren-error.js';
import { describeError, tellError } from './tell-error.js';

const UID = 'uid-00095';

/** As pg throws it. */
class DatabaseError extends Error {
  readonly code = '23505';
  readonly detail = `Key (uid)=(${UID}) already exists.`;
  readonly parameters = [UID];
  override readonly name = 'DatabaseError';
}

test('of an error that is not ours: what it is and where it arose, and not what it says', () => {
  const java = `region t,${UID},1.e0 is not served\n    at ${UID}:1:2\n    at ${UID} (${UID}:1:2)`;
  let syntax: unknown;
  try {
    JSON.parse(`{"uid": ${UID}`);
  } catch (error) {
    syntax = error;
  }
  for (const error of [new DatabaseError(`duplicate ${UID}`), new Error(java), syntax, UID, { uid: UID }]) {
    const told = describeError(new QuanrenError('unavailable', 'HBase is away.', { cause: error }));
    assert.equal(told.message, 'HBase is away.');
    assert.equal(told.code, 'unavailable');
    assert.ok(!JSON.stringify(told).includes(UID), JSON.stringify(told));
    assert.ok(!tellError(error).includes(UID));
  }
  const told = describeError(new DatabaseError(''));
  assert.deepEqual([told.type, told.code, 'message' in told], ['DatabaseError', '23505', false]);
  assert.match(told.stack[0] ?? '', /tell-error\.test\.js:\d+:\d+\)?$/);
});

test('what the system says is told: calls, addresses and paths', async () => {
  const refused = await new Promise<Error>((resolve) => connect(1, '127.0.0.1').on('error', resolve));
  assert.equal(describeError(refused).message, 'connect ECONNREFUSED 127.0.0.1:1');
  assert.equal(tellError(refused), 'connect ECONNREFUSED 127.0.0.1:1');
});

test('a chain of causes that bites its tail ends', () => {
  const error = new Error('a');
  error.cause = error;
  assert.equal(JSON.stringify(describeError(error)).split('"cause"').length, 6);
});
