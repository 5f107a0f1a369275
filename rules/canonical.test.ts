import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalText } from './canonical.js';
import { parseRule } from './parse.js';

function canonical(text: string): string {
  const parsed = parseRule(text);
  assert.ok(parsed.ok, text);
  return canonicalText(parsed.value);
}

const age = (value: string, op = '=') => `{"tag_code":"age","op":"${op}","value":${value}}`;

test('one text for all ways to write a rule', () => {
  const sameTexts: readonly (readonly string[])[] = [
    [age('1'), age('1.0'), age('1e0'), age('10E-1'), '{ "value" :\n1, "op":"=", "tag_code":"\\u0061ge"}'],
    [age('0'), age('-0'), age('0.000'), age('0e99')],
    [age('"é"'), age('"\\u00e9"')],
    [age('{"relative":"30d"}'), age('{"relative":"+30d"}'), age('{"relative":"0030d"}')],
    [age('{"relative":"0d"}'), age('{"relative":"-0d"}')],
    [age('[1,2,3]', 'IN'), age('[3,2.0,1,2,1e0]', 'IN')],
    [
      `{"logic":"AND","conditions":[${age('1')},${age('2')}]}`,
      `{"conditions":[${age('2')},${age('1')},${age('1.0')}],"logic":"AND"}`,
    ],
  ];
  for (const [first = '', ...others] of sameTexts) {
    for (const other of others) assert.equal(canonical(other), canonical(first));
  }
});

test('other rules have other texts', () => {
  const texts = [
    age('1'),
    age('"1"'),
    age('true'),
    age('1', '!='),
    age('[1]', 'IN'),
    age('[1,2]', 'BETWEEN'),
    age('[1,3]', 'BETWEEN'),
    age('"é"'),
    age('"e\u0301"'),
    age('{"relative":"1d"}'),
    age('{"relative":"24h"}'),
    `{"logic":"AND","conditions":[${age('1')}]}`,
    `{"logic":"OR","conditions":[${age('1')}]}`,
    `{"logic":"NOT","conditions":[${age('1')}]}`,
    '{"crowd_code":"age","op":"IN CROWD"}',
  ].map(canonical);
  assert.equal(new Set(texts).size, texts.length);
});
