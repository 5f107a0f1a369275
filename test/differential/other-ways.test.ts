/** What else says what a rule means: its canonical form, and the explanation of its truth. Both on generated rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalText, type Explanation, explainRule, parseRule, type Truth } from '../../rules/index.js';
import { runCampaign } from './campaign.js';
import { type Contender, reference } from './compare.js';
import { createChecker } from './generate-world.js';
import { formatRule, type GeneratedRule } from './rule-json.js';

const FILE = 'test/differential/other-ways.test.ts';

function canonicalOf(text: string): string {
  const parsed = parseRule(text);
  assert.ok(parsed.ok);
  return canonicalText(parsed.value);
}

/** The rule read again from its canonical text. */
const canonical: Contender = {
  name: 'canonical form',
  load: async () => undefined,
  evaluate: async (world, rules) => {
    const checker = createChecker(world);
    const read = rules.map((rule) => {
      const text = canonicalOf(rule.text);
      assert.equal(canonicalOf(text), text);
      assert.equal(canonicalOf(formatRule(rewrite(rule.rule))), text);
      const checked = checker.checkRule(text);
      assert.ok(checked.ok, text);
      return { ...rule, checked: checked.value };
    });
    return reference.evaluate(world, read);
  },
};

/** The same rule in another order, with parts twice. */
function rewrite(rule: GeneratedRule): GeneratedRule {
  if ('crowdCode' in rule) return rule;
  if ('logic' in rule) {
    const conditions = rule.conditions.map(rewrite);
    return rule.logic === 'NOT'
      ? { ...rule, conditions }
      : { ...rule, conditions: twiceAndBackwards(conditions) };
  }
  return rule.op === 'IN' || rule.op === 'NOT IN'
    ? { ...rule, values: twiceAndBackwards(rule.values) }
    : rule;
}

function twiceAndBackwards<T>(items: readonly T[]): readonly T[] {
  return [...items.toReversed(), ...items.slice(0, 1)];
}

/** The truth at the root of the explanation, of which every node must follow from the nodes below it. */
const explained: Contender = {
  name: 'explanation',
  load: async () => undefined,
  evaluate: async ({ context, rows }, rules) =>
    rules.map(({ checked }) =>
      rows.map((row) => {
        const explanation = explainRule(checked, row, context);
        assert.ok(explanation.decisive);
        return follow(explanation);
      }),
    ),
};

/** What the leaves come to, all of them, and the decisive ones alone. */
function follow(explanation: Explanation): Truth {
  const { truth, decisive } = explanation;
  const below =
    explanation.kind === 'tag'
      ? []
      : explanation.kind === 'crowd'
        ? [explanation.rule]
        : explanation.children;
  for (const child of below) {
    follow(child);
    // What does not rest on a group does not rest on its parts.
    assert.ok(decisive || !child.decisive);
  }
  assert.equal(combine(explanation, below), truth);
  const restingOn = below.filter((child) => child.decisive);
  if (decisive && below.length > 0) assert.equal(combine(explanation, restingOn), truth);
  return truth;
}

function combine(explanation: Explanation, parts: readonly Explanation[]): Truth {
  const truths = parts.map(({ truth }) => truth);
  const [first = null] = truths;
  switch (explanation.kind) {
    case 'tag':
      return explanation.truth;
    case 'crowd':
      return (first === true) !== explanation.negated;
    case 'not':
      return first === null ? null : !first;
    case 'and':
      return truths.includes(false) ? false : truths.includes(null) ? null : true;
    case 'or':
      return truths.includes(true) ? true : truths.includes(null) ? null : false;
  }
}

test('the canonical form means what the rule means, however the rule was written', async () => {
  const { counts, disagreements } = await runCampaign({ seed: 51, rules: 1_000, rows: 40, test: FILE }, [
    canonical,
  ]);
  assert.deepEqual(disagreements, []);
  assert.equal(counts.rules, 1_000);
});

test('an explanation comes to the truth that it explains', async () => {
  const { counts, disagreements } = await runCampaign({ seed: 52, rules: 500, rows: 20, test: FILE }, [
    explained,
  ]);
  assert.deepEqual(disagreements, []);
  assert.equal(counts.rules, 500);
});
