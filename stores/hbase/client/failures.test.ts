import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ConnectionError } from '../connection/connection-error.js';
import { RemoteException } from '../connection/remote-exception.js';
import { WireError } from '../wire/wire-error.js';
import { finalError, remedyOf, waitMs } from './failures.js';

const exception = (className: string, doNotRetry = false) =>
  new RemoteException({ className: `org.apache.hadoop.hbase.${className}`, stackTrace: '', doNotRetry });

describe('what is done about a failure', () => {
  it('depends on its kind', () => {
    assert.equal(remedyOf(exception('NotServingRegionException')), 'relocate');
    assert.equal(remedyOf(exception('exceptions.RegionMovedException')), 'relocate');
    assert.equal(remedyOf(exception('RegionTooBusyException')), 'back-off');
    assert.equal(remedyOf(exception('CallQueueTooBigException')), 'back-off');
    assert.equal(remedyOf(exception('MultiActionResultTooLarge')), 'at-once');
    assert.equal(remedyOf(exception('security.AccessDeniedException')), 'give-up');
    assert.equal(remedyOf(exception('SomethingNewException')), 'back-off');
    assert.equal(remedyOf(exception('SomethingNewException', true)), 'give-up');
    assert.equal(remedyOf(new ConnectionError('lost', '')), 'relocate');
    assert.equal(remedyOf(new WireError('')), 'give-up');
  });

  it('waits longer each time, never beyond a second, and never all alike', () => {
    const remedy = fc.constantFrom('relocate' as const, 'back-off' as const, 'at-once' as const);
    fc.assert(
      fc.property(remedy, fc.integer({ min: 1, max: 10_000 }), (kind, attempts) => {
        const [least, most] = [waitMs(kind, attempts, 0), waitMs(kind, attempts, 0.999_999)];
        assert.ok(least >= 0 && most <= 1_000);
        assert.ok(least <= waitMs(kind, attempts + 1, 0));
        assert.ok(least === 0 ? most === 0 : most > 1.9 * least);
        assert.ok(attempts <= 3 || least > 0);
      }),
    );
  });

  it('tells the caller what to do', () => {
    assert.equal(finalError(exception('NotServingRegionException')).code, 'unavailable');
    assert.equal(finalError(exception('security.AccessDeniedException')).code, 'set_up');
    assert.equal(finalError(new WireError('x')).code, 'unavailable');
    // Their sentences may name a region by the uid that it begins with.
    for (const name of ['NotServingRegionException', 'NoSuchColumnFamilyException'])
      assert.equal(finalError(exception(name)).message, `HBase: it answered ${name}.`);
    assert.equal(finalError(new TypeError('u1')).message, 'HBase: a defect of its client.');
  });
});
