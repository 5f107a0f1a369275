import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRule } from '../../../rules/index.js';
import { diffRules } from './rule-diff.js';

const AGE = { tag_code: 'age', op: '>', value: 18 };
const CITY = { tag_code: 'city', op: '=', value: '北京' };
const VIP = { crowd_code: 'vip', op: 'IN CROWD' };
const and = (...conditions: object[]) => ({ logic: 'AND', conditions });

function diff(from: object, to: object): string[] {
  const [old, young] = [from, to].map((rule) => parseRule(JSON.stringify(rule)));
  assert.ok(old?.ok && young?.ok);
  return diffRules(old.value, young.value).map(({ change, pointer }) => `${change} ${pointer}`);
}

test('order and ways of writing are no difference', () => {
  assert.deepEqual(diff(and(AGE, CITY), and(CITY, { ...AGE, value: 18.0 })), []);
});

test('a condition inserted before others is one addition', () => {
  assert.deepEqual(diff(and(AGE, CITY), and(VIP, AGE, CITY)), ['added /conditions/0']);
});

test('removed, changed and added together; changes are found deep inside', () => {
  assert.deepEqual(diff(and(AGE, CITY), and({ ...AGE, value: 21 }, VIP)), [
    'removed /conditions/1',
    'changed /conditions/0',
    'added /conditions/1',
  ]);
  const not = (rule: object) => ({ logic: 'NOT', conditions: [rule] });
  assert.deepEqual(diff(and(AGE, not(CITY)), and(not({ ...CITY, op: '!=' }), AGE)), [
    'changed /conditions/0/conditions/0',
  ]);
});

test('another shape is one change of the whole', () => {
  assert.deepEqual(diff(AGE, and(AGE, CITY)), ['changed ']);
  assert.deepEqual(diff(and(AGE, CITY), { ...and(AGE, CITY), logic: 'OR' }), ['changed ']);
});
