import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RuleChecker, type RuleEnvironment } from './check.js';
import { parseDate } from './civil.js';
import type { Result } from './diagnostics.js';
import { parseTags } from './parse-tags.js';
import { resolveRule } from './resolve.js';

const parsedTags = parseTags(
  JSON.stringify([
    { tag_code: 'age', tag_type: 'numeric', source_type: 'INT' },
    { tag_code: 'city', tag_type: 'enum' },
    { tag_code: 'vip', tag_type: 'boolean' },
    { tag_code: 'born', tag_type: 'datetime', value_format: 'date' },
    { tag_code: 'seen', tag_type: 'datetime', value_format: 'instant' },
  ]),
);
assert.ok(parsedTags.ok);
const tags = parsedTags.value;

const AGE = '{"tag_code":"age","op":">","value":18}';

function environment(crowds: Readonly<Record<string, unknown>> = {}): RuleEnvironment {
  const texts = Object.entries(crowds).map(
    ([code, rule]) => [code, typeof rule === 'string' ? rule : JSON.stringify(rule)] as const,
  );
  return { tags, crowds: new Map(texts), zone: 'Asia/Shanghai' };
}

/** `code pointer` or `crowd:code pointer` of each diagnostic. */
function problems(result: Result<unknown>): string[] {
  if (result.ok) return [];
  return result.diagnostics.map(
    ({ code, pointer, crowd }) => `${crowd === undefined ? '' : `${crowd}:`}${code} ${pointer}`,
  );
}

const check = (rule: unknown, crowds: Readonly<Record<string, unknown>> = {}) =>
  new RuleChecker(environment(crowds)).checkRule(typeof rule === 'string' ? rule : JSON.stringify(rule));

const inCrowd = (code: string) => ({ crowd_code: code, op: 'IN CROWD' });
const and = (...conditions: unknown[]) => ({ logic: 'AND', conditions });

test('all that is wrong is reported at once, in the order of the text', () => {
  const rule = `{"logic":"and","conditions":[
    {"tag_code":"agee","op":">","value":18},
    {"tag_code":"city","op":"IN","value":[]},
    {"tag_code":"city","op":"IN","value":["a",1,null]},
    {"tag_code":"age","op":"=","value":"18"},
    {"tag_code":"nope","op":"like","value":"x","note":1},
    {"logic":"NOT","conditions":[${AGE},${AGE}]},
    {"crowd_code":"gone","op":"IN CROWD","value":1},
    {"tag_code":"seen","op":"=","value":{"relative":"-3w"}},
    {"tag_code":"born","op":"=","value":{"relative":"-3h"}}
  ]}`;
  assert.deepEqual(problems(check(rule)), [
    'invalid_logic /logic',
    'unknown_tag /conditions/0/tag_code',
    'empty_list /conditions/1/value',
    'wrong_value /conditions/2/value/1',
    'null_value /conditions/2/value/2',
    'wrong_value /conditions/3/value',
    'unknown_tag /conditions/4/tag_code',
    'unknown_operator /conditions/4/op',
    'unknown_key /conditions/4/note',
    'not_takes_one /conditions/5/conditions',
    'unexpected_value /conditions/6/value',
    'invalid_relative /conditions/7/value/relative',
    'invalid_relative /conditions/8/value',
    'unknown_crowd /conditions/6/crowd_code',
  ]);
});

test('cycles are named with their path, from whichever crowd one looks', () => {
  const crowds = { a: inCrowd('b'), b: and(AGE_RULE, inCrowd('c')), c: inCrowd('a') };
  const outside = check(inCrowd('b'), crowds);
  assert.deepEqual(problems(outside), ['a:crowd_cycle ']);
  assert.match(outside.ok ? '' : (outside.diagnostics[0]?.message ?? ''), /b → c → a → b/);
  assert.deepEqual(problems(new RuleChecker(environment(crowds)).checkCrowd('a')), ['c:crowd_cycle ']);
  assert.deepEqual(problems(new RuleChecker(environment({ a: inCrowd('a') })).checkCrowd('a')), [
    'crowd_cycle ',
  ]);
});
const AGE_RULE: unknown = JSON.parse(AGE);

test('what is wrong in a crowd that is referred to is reported once, with its name', () => {
  const crowds = {
    bad: '{"tag_code":"gone","op":"IS NULL"}',
    worse: '{',
    via: and(inCrowd('bad'), inCrowd('worse')),
  };
  assert.deepEqual(problems(check(and(inCrowd('via'), inCrowd('bad')), crowds)), [
    'bad:unknown_tag /tag_code',
    'worse:json_syntax ',
  ]);
});

test('crowds come each before those that use it, each once', () => {
  const crowds = { a: AGE, b: inCrowd('a'), c: and(inCrowd('a'), inCrowd('b')), unused: '{' };
  const result = check(and(inCrowd('c'), inCrowd('b')), crowds);
  assert.deepEqual(result.ok && [...result.value.crowds.keys()], ['a', 'b', 'c']);
});

/** A rule of that many levels. */
const nested = (levels: number): unknown =>
  levels === 1 ? AGE_RULE : { logic: 'NOT', conditions: [nested(levels - 1)] };

test('limits: depth 32, also through crowds', () => {
  assert.deepEqual(problems(check(nested(32))), []);
  assert.deepEqual(problems(check(nested(33))), [`too_deep ${'/conditions/0'.repeat(32)}`]);
  assert.deepEqual(problems(check(JSON.stringify(nested(200)))), [`too_deep ${'/conditions/0'.repeat(32)}`]);
  const crowds = { deep: nested(20) };
  const around = (levels: number): unknown =>
    levels === 1 ? inCrowd('deep') : { logic: 'NOT', conditions: [around(levels - 1)] };
  assert.deepEqual(problems(check(around(12), crowds)), []);
  assert.deepEqual(problems(check(around(13), crowds)), [`too_deep ${'/conditions/0'.repeat(12)}`]);
  const chain = Object.fromEntries([
    ['c0', AGE],
    ...Array.from({ length: 20_000 }, (_, i) => [`c${i + 1}`, inCrowd(`c${i}`)]),
  ]);
  assert.deepEqual(problems(check(inCrowd('c30'), chain)), []);
  assert.deepEqual(problems(check(inCrowd('c20000'), chain)), ['too_deep ']);
});

test('limits: 10,000 conditions, also through crowds that share crowds', () => {
  const many = (count: number) => and(...Array.from({ length: count }, () => AGE_RULE));
  assert.deepEqual(problems(check(many(10_000))), []);
  assert.deepEqual(problems(check(many(10_001))), ['too_many_conditions /conditions/10000']);
  const doubled = Object.fromEntries([
    ['d0', AGE],
    ...Array.from({ length: 15 }, (_, i) => [`d${i + 1}`, and(inCrowd(`d${i}`), inCrowd(`d${i}`))]),
  ]);
  assert.deepEqual(problems(check(inCrowd('d13'), doubled)), []);
  assert.deepEqual(problems(check(inCrowd('d14'), doubled)), ['too_many_conditions ']);
});

test('limits: lists of 100,000 values', () => {
  const list = (count: number) => ({
    tag_code: 'age',
    op: 'IN',
    value: Array.from({ length: count }, (_, i) => i),
  });
  assert.deepEqual(problems(check(list(100_000))), []);
  assert.deepEqual(problems(check(list(100_001))), ['too_many_values /value']);
});

test('the anchor: required, and kept within the calendar, wherever relative values are', () => {
  const relative = { tag_code: 'born', op: '>', value: { relative: '-36500d' } };
  const rule = check(and(relative, inCrowd('r')), { r: relative });
  assert.ok(rule.ok);
  const resolve = (date: string | null) => {
    const day = date === null ? null : (parseDate(date) ?? assert.fail());
    const anchor = day === null ? null : ({ kind: 'dt', day } as const);
    return problems(resolveRule(rule.value, { zone: 'Asia/Shanghai', anchor }));
  };
  assert.deepEqual(resolve(null), ['anchor_required /conditions/0/value', 'r:anchor_required /value']);
  assert.deepEqual(resolve('0050-01-01'), [
    'anchor_out_of_range /conditions/0/value',
    'r:anchor_out_of_range /value',
  ]);
  assert.deepEqual(resolve('2026-11-23'), []);
});
