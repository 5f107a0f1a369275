/** docs/rules.md tells the truth: its rules are valid, its tables complete, and its outputs what comes out. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  checkRule,
  explainRule,
  formatExplanation,
  OPERATORS_OF_TYPE,
  parseDate,
  parseRow,
  parseTags,
} from '../../rules/index.js';
import { compileToSql, duckdb } from '../../rules/sql/index.js';

const page = readFileSync(path.resolve(import.meta.dirname, '..', '..', '..', 'docs', 'rules.md'), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, 'gs'))].map(([, text = '']) => text);

const [rule = '', otherRule = '', tagsText = ''] = blocks('json');
const inline = [...page.matchAll(/`(\{"(?:vip|uid)".*?\})`/g)].map(([, text = '']) => text);
const [crowdText = '', rowText = ''] = inline;
const tags = parseTags(tagsText);
const context = { zone: 'Asia/Shanghai', anchor: { kind: 'dt', day: parseDate('2026-11-23') ?? 0 } } as const;

function check(text: string) {
  assert.ok(tags.ok);
  const crowds = new Map(
    Object.entries<unknown>(JSON.parse(crowdText)).map(([code, value]) => [code, JSON.stringify(value)]),
  );
  const checked = checkRule(text, { tags: tags.value, crowds, zone: context.zone });
  assert.ok(checked.ok, text);
  return checked.value;
}

test('its rules are valid', () => {
  check(rule);
  check(otherRule);
});

test('its outputs are what comes out', () => {
  const row = parseRow(rowText);
  assert.ok(row.ok);
  const explanation = explainRule(check(rule), row.value.row, context);
  assert.deepEqual(blocks('text'), [`${formatExplanation(explanation)}\n`]);
  const sql = compileToSql(check(rule), context, duckdb);
  assert.ok(sql.ok);
  assert.deepEqual(blocks('sql'), [`${sql.value}\n`]);
});

test('it has every type with its operators, and no other operator', () => {
  const rowOf = (name: string) =>
    page.split('\n').find((line) => line.startsWith('| ') && line.includes(name)) ?? '';
  const operatorsIn = (line: string) => [...line.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
  const nullTests = ['IS NULL', 'IS NOT NULL'];
  for (const [type, operators] of Object.entries(OPERATORS_OF_TYPE)) {
    const named = operatorsIn(rowOf(`\`${type}\``)).filter((name) => !Object.hasOwn(OPERATORS_OF_TYPE, name));
    assert.deepEqual([...named, ...nullTests].sort(), [...operators].sort(), type);
  }
});
