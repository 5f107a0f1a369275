import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ceilToScale,
  compareDecimals,
  type Decimal,
  floorToScale,
  formatDecimal,
  parseDecimal,
  writeOutExponent,
} from './decimal.js';

function decimal(text: string): Decimal {
  const value = parseDecimal(text);
  assert.ok(value !== null, `${text} is a decimal`);
  return value;
}

test('texts that are decimals come back in their one shortest form', () => {
  const cases = {
    '0': '0',
    '-0.000': '0',
    '007.50': '7.5',
    '-12': '-12',
    '0.001': '0.001',
    '-0.1': '-0.1',
    '100': '100',
    ['9'.repeat(38)]: '9'.repeat(38),
    [`0.${'0'.repeat(37)}1`]: `0.${'0'.repeat(37)}1`,
    [`000${'9'.repeat(38)}.000`]: '9'.repeat(38),
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(formatDecimal(decimal(text)), expected);
});

test('other texts are none', () => {
  const texts = ['', '+1', '.5', '5.', '1e3', ' 1', '1 ', '1\n', '٣', '1_000', 'NaN', '--1', '0x10', '1,5'];
  for (const text of texts) assert.equal(parseDecimal(text), null, text);
});

test('more than 38 significant digits are none; zeros at the outer ends do not count', () => {
  assert.equal(parseDecimal(`1${'0'.repeat(38)}`), null);
  assert.equal(parseDecimal(`0.${'0'.repeat(38)}1`), null);
  assert.ok(parseDecimal(`0.1${'0'.repeat(50)}`));
  assert.ok(parseDecimal(`${'0'.repeat(50)}1`));
});

const someDecimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }), fc.integer({ min: 0, max: 38 }))
  .map(([unscaled, scale]) => {
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
    const text = `${digits.slice(0, digits.length - scale)}${scale > 0 ? '.' : ''}${digits.slice(digits.length - scale)}`;
    return { text: unscaled < 0n ? `-${text}` : text, unscaled, scale };
  })
  .filter(({ text }) => parseDecimal(text) !== null);

test('comparing agrees with comparing integers of one common scale', () => {
  const neighbour = fc.tuple(someDecimal, fc.integer({ min: -1, max: 1 })).map(([a, by]) => {
    const b = { unscaled: a.unscaled + BigInt(by), scale: a.scale };
    return [a, b] as const;
  });
  const far = fc.tuple(someDecimal, someDecimal);
  fc.assert(
    fc.property(fc.oneof(neighbour, far), ([a, b]) => {
      const exact = (v: { unscaled: bigint; scale: number }) => v.unscaled * 10n ** BigInt(38 - v.scale);
      const text = formatDecimal({ approx: 0, ...b });
      const other = parseDecimal(text);
      fc.pre(other !== null);
      const expected = exact(a) < exact(b) ? -1 : exact(a) > exact(b) ? 1 : 0;
      assert.equal(Math.sign(compareDecimals(decimal(a.text), other)), expected);
    }),
    { numRuns: 2000 },
  );
});

test('narrowing to a scale gives the nearest multiple below and above', () => {
  fc.assert(
    fc.property(someDecimal, fc.integer({ min: 0, max: 38 }), ({ text }, scale) => {
      const value = decimal(text);
      const exact = value.unscaled * 10n ** BigInt(76 - value.scale);
      const unit = 10n ** BigInt(76 - scale);
      const floor = floorToScale(value, scale) * unit;
      const ceil = ceilToScale(value, scale) * unit;
      assert.ok(floor <= exact && exact < floor + unit);
      assert.ok(ceil >= exact && exact > ceil - unit);
    }),
  );
});

test('exponents are written out, and never at length', () => {
  const cases = {
    '1e2': '100',
    '1.5E+3': '1500',
    '-1.25e1': '-12.5',
    '1e-2': '0.01',
    '12.5e-1': '1.25',
    '0.001e2': '0.1',
    '0.0012e5': '120',
    '0e999999999': '0',
    '1.50': '1.50',
    '-0.5e0': '-0.5',
  };
  for (const [text, expected] of Object.entries(cases)) assert.equal(writeOutExponent(text), expected, text);
  assert.equal(writeOutExponent('1e999999999'), null);
  assert.equal(writeOutExponent('1e-999999999'), null);
});
