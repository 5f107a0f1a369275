import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CompiledRules, checkRule, type Diagnostic, evaluateRule, resolveRule } from '../../rules/index.js';
import { readSpecCases, type SpecCase } from '../support/spec-cases.js';

for (const specCase of readSpecCases()) {
  test(specCase.name, () => {
    const { rule, tags, crowds, zone, anchor, rows, diagnostics } = specCase;
    const context = { zone, anchor };
    const checked = checkRule(rule, { tags, crowds, zone });
    if (!checked.ok) return assert.deepEqual(checked.diagnostics.map(brief), diagnostics);
    const resolved = resolveRule(checked.value, context);
    if (!resolved.ok) return assert.deepEqual(resolved.diagnostics.map(brief), diagnostics);
    assert.deepEqual(diagnostics, [], 'the rule was accepted');
    const compiled = new CompiledRules([resolved.value]);
    for (const { uid, row, expect } of rows) {
      assert.equal(evaluateRule(checked.value, row, context), expect, `reference, ${uid}`);
      assert.equal(compiled.evaluate(0, compiled.decodeRow(row)), expect, `compiled, ${uid}`);
    }
  });
}

function brief({ code, pointer, crowd }: Diagnostic): SpecCase['diagnostics'][number] {
  return crowd === undefined ? { code, pointer } : { code, pointer, crowd };
}
