import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { TAG_OPERATORS } from './ast.js';
import { canonicalText } from './canonical.js';
import { parseRule } from './parse.js';

const schemaFile = path.resolve(import.meta.dirname, '..', '..', 'rules', 'rule.schema.json');
const isValid = new Ajv2020().compile(JSON.parse(readFileSync(schemaFile, 'utf8')));

const code = fc.constantFrom('age', 'a', `a${'_'.repeat(49)}`, `a${'_'.repeat(50)}`, 'Age', '1a', '', 'é');
const literal = fc.oneof(
  fc.constantFrom<unknown>(
    '',
    'x',
    '🦊',
    'a\u0000b',
    '\ud800',
    '2026-11-23',
    0,
    -0,
    1.5,
    1e20,
    true,
    false,
    null,
    [],
    {},
  ),
  fc.constantFrom('-30d', '+3h', '5m', '0d', '30', '1w', '-d', '1.5d', 7).map((relative) => ({ relative })),
  fc.constant({ relative: '1d', unit: 'd' }),
);
const value = fc.oneof(literal, fc.array(literal, { maxLength: 3 }));
const op = fc.constantFrom<unknown>(...TAG_OPERATORS, 'IN CROWD', 'NOT IN CROWD', 'in', '==', '', null, 3);
const condition = fc.record({ tag_code: code, op, value, note: fc.constant(1) }, { requiredKeys: [] });
const goodCondition = fc
  .record({ tag_code: fc.constant('age'), op: fc.constantFrom(...TAG_OPERATORS), value })
  .map(({ value: given, ...rest }) => (rest.op.startsWith('IS') ? rest : { ...rest, value: given }));
const crowd = fc.record(
  {
    crowd_code: code,
    op: fc.constantFrom('IN CROWD', 'NOT IN CROWD', 'IN', 'in crowd'),
    value: fc.constant(1),
  },
  { requiredKeys: ['crowd_code', 'op'] },
);
const { node } = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    { weight: 4, arbitrary: goodCondition },
    { weight: 1, arbitrary: condition },
    { weight: 1, arbitrary: crowd },
    { weight: 1, arbitrary: fc.constantFrom<unknown>(null, 'x', 1, [], {}) },
    {
      weight: 4,
      arbitrary: fc.record({
        logic: fc.constantFrom<unknown>('AND', 'OR', 'NOT', 'AND', 'OR', 'and', 1),
        conditions: fc.oneof(fc.array(tie('node'), { maxLength: 3 }), fc.constant({})),
      }),
    },
  ),
}));

test('the published schema and the parser accept the same shapes', () => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(fc.oneof(node, goodCondition), (rule) => {
      const parsed = parseRule(JSON.stringify(rule));
      // Through JSON, as an engine in another language would get it: undefined and -0 do not survive that.
      assert.equal(parsed.ok, isValid(JSON.parse(JSON.stringify(rule))), inspect(parsed));
      if (parsed.ok) accepted += 1;
      else refused += 1;
    }),
    { numRuns: 5000 },
  );
  assert.ok(accepted > 500 && refused > 500, `${accepted} accepted, ${refused} refused`);
});

const canonical = (text: string): string => {
  const parsed = parseRule(text);
  assert.ok(parsed.ok, inspect(parsed));
  return canonicalText(parsed.value);
};

test('the canonical text: order and spelling do not matter where they mean nothing', () => {
  const written = `{"conditions":[
    {"op":"IN","tag_code":"n","value":[2, 1.0, 10e-1, 1e1, 0.10000000000000000000000000000000000001]},
    {"value":{"relative":"+007d"},"tag_code":"d","op":">="},
    {"crowd_code":"c","op":"NOT IN CROWD"},
    {"value":{"relative":"7d"},"op":">=","tag_code":"d"},
    {"logic":"NOT","conditions":[{"tag_code":"s","op":"BETWEEN","value":[-0.0,"\\u00e9\\n"]}]}
  ],"logic":"AND"}`;
  assert.equal(
    canonical(written),
    '{"logic":"AND","conditions":[' +
      '{"crowd_code":"c","op":"NOT IN CROWD"},' +
      '{"logic":"NOT","conditions":[{"tag_code":"s","op":"BETWEEN","value":[0,"é\\n"]}]},' +
      '{"tag_code":"d","op":">=","value":{"relative":"7d"}},' +
      '{"tag_code":"n","op":"IN","value":[0.10000000000000000000000000000000000001,1,10,2]}]}',
  );
});

test('the canonical text is a rule, and its own canonical text', () => {
  fc.assert(
    fc.property(node, (rule) => {
      const parsed = parseRule(JSON.stringify(rule));
      fc.pre(parsed.ok);
      const text = canonicalText(parsed.value);
      assert.equal(canonical(text), text);
      assert.ok(isValid(JSON.parse(text)));
    }),
  );
});

test('what JSON readers differ in, or lose, is refused or kept', () => {
  const codes = (text: string) => {
    const parsed = parseRule(text);
    return parsed.ok ? [] : parsed.diagnostics.map(({ code: found, pointer }) => `${found} ${pointer}`);
  };
  assert.deepEqual(codes('{"tag_code":"a","tag_code":"b","op":"IS NULL"}'), ['duplicate_key /tag_code']);
  assert.deepEqual(codes('{"tag_code":"a","op":"=","value":123456789012345678901234567890123456789}'), [
    'invalid_number /value',
  ]);
  assert.deepEqual(codes('{"tag_code":"a","op":"=","value":1e999999999}'), ['invalid_number /value']);
  assert.deepEqual(codes('{"tag_code":"a","op":"=","value":{"relative":"36501d"}}'), [
    'invalid_relative /value/relative',
  ]);
  assert.deepEqual(codes('{"tag_code":"a","op":"=","value":{"relative":"-52560000m"}}'), []);
  assert.deepEqual(codes('{"tag_code":"__proto__","op":"IS NULL"}'), ['invalid_code /tag_code']);
  assert.deepEqual(codes('{"tag_code":"constructor","op":"IS NULL"}'), []);
  assert.deepEqual(codes('{"tag_code":"a","op":"constructor"}'), ['unknown_operator /op']);
  assert.deepEqual(codes(''), ['json_syntax ']);
});
