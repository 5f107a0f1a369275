import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  checkRule,
  DIAGNOSTIC_HINTS,
  type Diagnostic,
  parseRow,
  parseTags,
  type Result,
  type RuleEnvironment,
} from '../rules/index.js';
import { ERROR_KINDS } from './error-codes.js';

const page = readFileSync(path.resolve(import.meta.dirname, '..', '..', 'docs', 'errors.md'), 'utf8');

/** The cells of the table rows under a heading whose first cell is a code. */
function rowsUnder(heading: string): string[][] {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('docs/errors.md has every error code with its status and title, and no other', () => {
  const rows = rowsUnder('Problem documents');
  assert.deepEqual(
    rows.map((cells) => cells.slice(0, 3)),
    Object.entries(ERROR_KINDS).map(([code, { status, title }]) => [`\`${code}\``, String(status), title]),
  );
  assert.ok(rows.every(([, , , whatToDo]) => whatToDo !== undefined && whatToDo !== ''));
});

test('docs/errors.md has every diagnostic with its hint, and no other', () => {
  const rows = rowsUnder('Diagnostics');
  assert.deepEqual(
    rows.map(([code, , , hint]) => [code, hint]),
    Object.entries(DIAGNOSTIC_HINTS).map(([code, hint]) => [`\`${code}\``, hint]),
  );
  assert.ok(rows.every(([, whatIsWrong]) => whatIsWrong !== ''));
});

const tags = parseTags(`[
  {"tag_code":"age","tag_type":"numeric","source_type":"INT"},
  {"tag_code":"city","tag_type":"enum"},
  {"tag_code":"birthday","tag_type":"datetime","source_type":"DATE"},
  {"tag_code":"last_login","tag_type":"datetime","source_type":"TIMESTAMP"}
]`);
assert.ok(tags.ok);
const environment: RuleEnvironment = { tags: tags.value, crowds: new Map(), zone: 'Asia/Shanghai' };

/** How an example is read, by the words before it. */
const READERS: Readonly<Record<string, (text: string) => Result<unknown>>> = {
  '': (rule) => checkRule(rule, environment),
  'Of the crowd `loop`: ': (rule) => checkRule(rule, { ...environment, crowds: new Map([['loop', rule]]) }),
  'Tags: ': parseTags,
  'A row: ': parseRow,
};
/** Too long to be written out, or not of the rule alone. */
const IN_WORDS = [
  'too_deep',
  'too_many_conditions',
  'too_many_values',
  'anchor_required',
  'anchor_out_of_range',
];

test('each example of docs/errors.md draws its code, and nothing else', () => {
  const inWords: string[] = [];
  for (const [cell = '', , example = ''] of rowsUnder('Diagnostics')) {
    const code = cell.slice(1, -1);
    const [, words, json] = /^(.*?)`([[{].*)`$/.exec(example) ?? [];
    const read = words === undefined ? undefined : READERS[words];
    if (read === undefined || json === undefined) {
      inWords.push(code);
      continue;
    }
    const result = read(json);
    const codes: string[] = result.ok ? [] : result.diagnostics.map((found: Diagnostic) => found.code);
    assert.deepEqual([...new Set(codes)], [code], `${example} gives ${codes.join(', ')}`);
  }
  assert.deepEqual(inWords, IN_WORDS);
});
