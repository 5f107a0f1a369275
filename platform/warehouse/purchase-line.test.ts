import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPurchaseHeader, parsePurchaseLine } from './purchase-line.js';

const parse = (line: string) => parsePurchaseLine(Buffer.from(line, 'latin1'));

test('a line of the published file', () => {
  assert.deepEqual(parse(' 00004 19970118  2   29.33'), {
    uid: '00004',
    purchaseDay: Date.UTC(1997, 0, 18) / 86_400_000,
    cds: 2,
    cents: 2933,
  });
});

test('fields may fill their columns', () => {
  assert.deepEqual(parse(' 99999 2000022999999999.99'), {
    uid: '99999',
    purchaseDay: Date.UTC(2000, 1, 29) / 86_400_000,
    cds: 999,
    cents: 9_999_999,
  });
});

test('every bad line is told by its first fault', () => {
  const reasons: Readonly<Record<string, string>> = {
    '': 'width',
    ' 00004 19970118  2   29.3': 'width',
    ' 00004 19970118  2   29.333': 'width',
    ' 0004  19970118  2   29.33': 'customer_id',
    '000004 19970118  2   29.33': 'customer_id',
    ' 00004 19970229  2   29.33': 'date',
    ' 00004 19971301  2   29.33': 'date',
    ' 00004 00000101  2   29.33': 'date',
    ' 00004 1997 118  2   29.33': 'date',
    ' 00004 19970118      29.33': 'number_of_cds',
    ' 00004 19970118 -2   29.33': 'number_of_cds',
    ' 00004 19970118 2    29.33': 'number_of_cds',
    ' 00004 19970118  2  -29.33': 'dollar_value',
    ' 00004 19970118  2   29,33': 'dollar_value',
    ' 00004 19970118  2  1e2.33': 'dollar_value',
    ' 00004 19970118  2     NaN': 'dollar_value',
    ' 00004 19970118  2   29.3\xe9': 'not_utf8',
  };
  for (const [line, reason] of Object.entries(reasons)) assert.equal(parse(line), reason, line);
});

test('the header', () => {
  assert.ok(isPurchaseHeader(Buffer.from(' customer_id  date number_of_cds  dollar_value ')));
  assert.ok(!isPurchaseHeader(Buffer.from(' 00004 19970118  2   29.33')));
  assert.ok(!isPurchaseHeader(Buffer.from('customer_id,date,number_of_cds,dollar_value')));
});
