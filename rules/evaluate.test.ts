import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { CompiledRules } from './compile.js';
import { evaluateRule } from './evaluate.js';
import { explainRule, formatExplanation } from './explain.js';
import {
  type CheckedRule,
  checkRule,
  type EvaluationContext,
  parseRow,
  parseTags,
  resolveRule,
} from './index.js';

const parsedTags = parseTags(
  JSON.stringify([
    { tag_code: 'age', tag_type: 'numeric', source_type: 'INT', source_field: 'age_years' },
    { tag_code: 'city', tag_type: 'enum' },
    { tag_code: 'seen', tag_type: 'datetime', source_type: 'DATE' },
  ]),
);
assert.ok(parsedTags.ok);
const tags = parsedTags.value;
const context: EvaluationContext = { zone: 'Asia/Shanghai', anchor: { kind: 'dt', day: 20_000 } };

const AGE = { tag_code: 'age', op: '>', value: 18 };
const CITY = { tag_code: 'city', op: 'NOT IN', value: ['x', 'y'] };
const SEEN = { tag_code: 'seen', op: '>=', value: { relative: '-30d' } };

function check(rule: unknown, crowds: Readonly<Record<string, unknown>> = {}): CheckedRule {
  const texts = new Map(Object.entries(crowds).map(([code, crowd]) => [code, JSON.stringify(crowd)]));
  const checked = checkRule(JSON.stringify(rule), { tags, crowds: texts, zone: context.zone });
  assert.ok(checked.ok, inspect(checked));
  return checked.value;
}

function row(values: Readonly<Record<string, string>>) {
  return new Map(Object.entries(values));
}

test('explain: each leaf with its truth, the value seen, and the column it came from', () => {
  const rule = check(
    {
      logic: 'AND',
      conditions: [AGE, { logic: 'NOT', conditions: [CITY] }, SEEN, { crowd_code: 'c', op: 'IN CROWD' }],
    },
    { c: AGE },
  );
  const explanation = explainRule(rule, row({ age: '17.50', seen: 'junk' }), context);
  assert.equal(
    formatExplanation(explanation),
    `* false   AND
* false     age > 18: 17.5 (column age_years)
  unknown   NOT
  unknown     city NOT IN ("x", "y"): NULL (column city is NULL)
  unknown   seen >= -30d = 2024-09-04: NULL (column seen holds "junk", which is no value of this tag)
* false     IN CROWD c, whose rule is
* false       age > 18: 17.5 (column age_years)`,
  );
});

test('explain agrees with the evaluator on every part, and long lists are shortened', () => {
  const list = { tag_code: 'age', op: 'IN', value: Array.from({ length: 100_000 }, (_, i) => i) };
  const rule = check({ logic: 'OR', conditions: [list, SEEN] });
  const seen = row({ age: '99999', seen: '2020-01-01' });
  const explanation = explainRule(rule, seen, context);
  assert.equal(explanation.truth, evaluateRule(rule, seen, context));
  assert.match(formatExplanation(explanation), /age IN \(0, 1, .* 9, … 99990 more\): 99999/);
  assert.ok(explanation.kind === 'or');
  assert.deepEqual(
    explanation.children.map(({ truth, decisive }) => [truth, decisive]),
    [
      [true, true],
      [false, false],
    ],
  );
});

test('rules compiled together share rows and crowds, and each gives its own answer', () => {
  const crowds = {
    adult: AGE,
    away: { logic: 'AND', conditions: [CITY, { crowd_code: 'adult', op: 'IN CROWD' }] },
  };
  const rules = [
    check({ crowd_code: 'away', op: 'IN CROWD' }, crowds),
    check({ crowd_code: 'adult', op: 'NOT IN CROWD' }, crowds),
    check(SEEN, crowds),
    check({ crowd_code: 'away', op: 'NOT IN CROWD' }, crowds),
  ];
  const resolved = rules.map((rule) => {
    const result = resolveRule(rule, context);
    assert.ok(result.ok);
    return result.value;
  });
  const compiled = new CompiledRules(resolved);
  assert.deepEqual(compiled.tags.map(({ code }) => code).sort(), ['age', 'city', 'seen']);
  for (const values of [
    {},
    { age: '20' },
    { age: '20', city: 'z' },
    { age: '1', city: 'x', seen: '2024-10-01' },
  ]) {
    const decoded = compiled.decodeRow(row(values));
    for (const [index, rule] of rules.entries()) {
      assert.equal(compiled.evaluate(index, decoded), evaluateRule(rule, row(values), context));
    }
  }
});

test('a relative value without an anchor is an error', () => {
  const rule = check(SEEN);
  assert.throws(
    () => evaluateRule(rule, row({ seen: '2024-10-01' }), { ...context, anchor: null }),
    /anchor/,
  );
});

test('rows: scalars by their text, all problems at once', () => {
  const good = parseRow(
    '{"uid":"é","tags":{"a":0.10,"b":1.5e3,"c":true,"d":null,"e":"x","__proto__":"y"},"note":[]}',
  );
  assert.ok(good.ok);
  assert.deepEqual(
    [...good.value.row],
    [
      ['a', '0.10'],
      ['b', '1500'],
      ['c', 'true'],
      ['d', null],
      ['e', 'x'],
      ['__proto__', 'y'],
    ],
  );
  const bad = parseRow(
    `{"uid":"${'é'.repeat(257)}","tags":{"a":[],"b":{},"c":"\\u0000","d":"\\udc00","e":1,"e":2,"f":1e999999999}}`,
  );
  assert.deepEqual(bad.ok ? [] : bad.diagnostics.map(({ pointer }) => pointer), [
    '/uid',
    '/tags/a',
    '/tags/b',
    '/tags/c',
    '/tags/d',
    '/tags/e',
    '/tags/f',
  ]);
  assert.ok(parseRow(`{"uid":"${'é'.repeat(256)}","tags":{}}`).ok);
  for (const text of ['{"uid":"","tags":{}}', '{"uid":1,"tags":{}}', '{"uid":"u"}', '[]', '{']) {
    assert.ok(!parseRow(text).ok, text);
  }
});
