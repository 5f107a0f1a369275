import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import type { Anchor, EvaluationContext } from './ast.js';
import { formatDate, formatInstant, formatLocal } from './civil.js';
import { CompiledRules } from './compile.js';
import { evaluateRule } from './evaluate.js';
import { checkRule, parseTags, resolveRule } from './index.js';
import { getZone, type Zone } from './zone.js';

// Zones with gaps and overlaps at midnight, over midnight, of half an hour, of a whole day, and without any.
const ZONES = [
  'America/Sao_Paulo',
  'America/Havana',
  'America/St_Johns',
  'America/Scoresbysund',
  'Asia/Beirut',
  'Asia/Shanghai',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'Pacific/Apia',
  'Pacific/Kwajalein',
  'UTC',
].map(getZone);

const parsedTags = parseTags(
  JSON.stringify([
    { tag_code: 'd', tag_type: 'datetime', source_type: 'DATE' },
    { tag_code: 't', tag_type: 'datetime', source_type: 'STRING', value_format: 'instant' },
  ]),
);
assert.ok(parsedTags.ok);
const tags = parsedTags.value;

const MICROS = 1_000_000n;
const someZone = fc.constantFrom(...ZONES);

/** A change of the zone's clock, or any moment where it has none; and moments close to it. */
const zoneAndCentre = fc.tuple(someZone, fc.nat()).map(([zone, which]) => {
  const changes = zone.transitionsBetween(-3_000_000_000, 2_000_000_000);
  return { zone, centre: changes[which % Math.max(changes.length, 1)]?.atSeconds ?? which };
});
const nearby = fc.oneof(
  fc.constantFrom(0n, -1n, 1n, 3_600n * MICROS, -3_600n * MICROS, 86_400n * MICROS, -86_400n * MICROS),
  fc.bigInt({ min: -2n * 86_400n * MICROS, max: 2n * 86_400n * MICROS }),
);

/** How something that happens at a moment may be written. */
const writings: readonly ((micros: bigint, zone: Zone) => string)[] = [
  (micros) => formatInstant(micros),
  (micros, zone) => formatLocal(zone.localOfInstant(micros)),
  // By the clock of the day before: after a gap, local times that the zone skips.
  (micros, zone) => formatLocal(micros + BigInt(zone.offsetAt(Number(micros / MICROS) - 86_400)) * MICROS),
];
const writing = fc.constantFrom(...writings);
const operand = fc.oneof(
  fc.record({ kind: fc.constant('day' as const), by: nearby }),
  fc.record({ kind: fc.constant('moment' as const), by: nearby, write: writing }),
  fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.constantFrom('d', 'h', 'm'))
    .map(([amount, unit]) => ({ kind: 'relative' as const, text: `${amount}${unit}` })),
);
const op = fc.constantFrom('=', '!=', '>', '>=', '<', '<=', 'BETWEEN', 'NOT BETWEEN', 'IN', 'NOT IN');

test('the ranges of every comparison hold exactly where the reference evaluator says so', () => {
  const seen = { true: 0, false: 0 };
  const property = fc.property(
    zoneAndCentre,
    fc.constantFrom('d', 't'),
    op,
    fc.tuple(operand, operand),
    fc.array(fc.tuple(nearby, writing), { minLength: 8, maxLength: 8 }),
    fc.tuple(fc.boolean(), nearby),
    ({ zone, centre }, tag, operator, operands, values, [isDt, anchorBy]) => {
      const at = (by: bigint) => BigInt(centre) * MICROS + by;
      const [first, second] = operands.map((one) => {
        if (one.kind === 'relative')
          return { relative: tag === 'd' ? one.text.replace(/[hm]$/, 'd') : one.text };
        if (one.kind === 'day' || tag === 'd') return formatDate(zone.civilDay(at(one.by)));
        return one.write(at(one.by), zone);
      });
      const isList = operator.includes('IN') || operator.includes('BETWEEN');
      const rule = { tag_code: tag, op: operator, value: isList ? [first, second] : first };
      const checked = checkRule(JSON.stringify(rule), { tags, crowds: new Map(), zone: zone.name });
      // Bounds that are inverted as they are written are refused.
      if (!checked.ok)
        return assert.deepEqual(
          checked.diagnostics.map(({ code }) => code),
          ['bounds_inverted'],
        );
      const anchor: Anchor = isDt
        ? { kind: 'dt', day: zone.civilDay(at(anchorBy)) }
        : { kind: 'at', micros: at(anchorBy) };
      const context: EvaluationContext = { zone: zone.name, anchor };
      const resolved = resolveRule(checked.value, context);
      assert.ok(resolved.ok, inspect(resolved));
      const compiled = new CompiledRules([resolved.value]);
      for (const [by, write] of values) {
        const text = tag === 'd' ? formatDate(zone.civilDay(at(by))) : write(at(by), zone);
        const row = new Map([[tag, text]]);
        const expected = evaluateRule(checked.value, row, context);
        assert.equal(compiled.evaluate(0, compiled.decodeRow(row)), expected, text);
        assert.ok(expected !== null, text);
        seen[`${expected}`] += 1;
      }
    },
  );
  fc.assert(property, { numRuns: 4000 });
  assert.ok(seen.true > 5_000 && seen.false > 5_000, inspect(seen));
});
