import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { QuanrenError } from '../../errors/quanren-error.js';
import { isSettling, toBusError } from './kafka-errors.js';

/** As kafkajs makes them: what failed is a cause, or the cause of a cause. */
const wrap = (cause: object, name = 'KafkaJSNumberOfRetriesExceeded') =>
  Object.assign(new Error('wrapped', { cause }), { name });
const protocolError = (type: string) =>
  Object.assign(new Error('told by the broker'), { name: 'KafkaJSProtocolError', type, code: 7 });

describe('the errors of kafkajs', () => {
  it('are told by what was the matter in the end', () => {
    const refused = Object.assign(new Error('connect'), {
      name: 'KafkaJSConnectionError',
      code: 'ECONNREFUSED',
    });
    const cases: readonly [unknown, string, string][] = [
      [wrap(wrap(protocolError('NOT_ENOUGH_REPLICAS'))), 'unavailable', 'NOT_ENOUGH_REPLICAS'],
      [wrap(refused), 'unavailable', 'ECONNREFUSED'],
      [wrap(protocolError('TOPIC_AUTHORIZATION_FAILED')), 'set_up', 'TOPIC_AUTHORIZATION_FAILED'],
      [wrap({}, 'KafkaJSSASLAuthenticationError'), 'set_up', 'KafkaJSSASLAuthenticationError'],
      [new Error('plain words'), 'unavailable', 'plain words'],
      ['not even an error', 'unavailable', 'not even an error'],
    ];
    for (const [error, code, reason] of cases) {
      const told = toBusError('publishing', error);
      assert.equal(told.code, code);
      assert.ok(told.message.includes(`(${reason})`), told.message);
      assert.equal(told.cause, error);
    }
    const own = new QuanrenError('conflict', 'ours');
    assert.equal(toBusError('publishing', own), own);
  });

  it('say what to look at where TLS may be on at one side alone', () => {
    const reset = Object.assign(
      new Error('Client network socket disconnected before secure TLS connection was established'),
      { code: 'ECONNRESET' },
    );
    const closed = Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' });
    assert.match(toBusError('publishing', wrap(reset)).message, /\(ECONNRESET: .* speak TLS\?\)\.$/);
    assert.match(toBusError('publishing', wrap(closed)).message, /\(KafkaJS\w+: .* may want TLS\)\.$/);
    const other = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    assert.match(toBusError('publishing', wrap(other)).message, /\(ECONNRESET\)\.$/);
  });

  it('pass by themselves where something has just come or moved', () => {
    assert.equal(isSettling(wrap(protocolError('NOT_LEADER_FOR_PARTITION'))), true);
    assert.equal(isSettling(wrap(protocolError('MESSAGE_TOO_LARGE'))), false);
    const circle = new Error('its own cause');
    circle.cause = circle;
    assert.equal(isSettling(circle), false);
  });
});
