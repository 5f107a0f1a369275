import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { appendPointer, JsonSyntaxError, type JsonValue, lineAt, offsetOf, parseJson } from './json.js';

function toPlain(value: JsonValue): unknown {
  switch (value.kind) {
    case 'null':
      return null;
    case 'number':
      return Number(value.text);
    case 'array':
      return value.items.map(toPlain);
    case 'object': {
      const plain: Record<string, unknown> = {};
      for (const member of value.members) {
        // As JSON.parse does, also for the key __proto__.
        Object.defineProperty(plain, member.key, {
          value: toPlain(member.value),
          configurable: true,
          enumerable: true,
          writable: true,
        });
      }
      return plain;
    }
    default:
      return value.value;
  }
}

test('reads what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.json(), fc.integer({ min: 0, max: 2 }), (text, indent) => {
      const pretty = JSON.stringify(JSON.parse(text), null, indent);
      for (const each of [text, pretty]) assert.deepEqual(toPlain(parseJson(each)), JSON.parse(each));
    }),
  );
});

test('refuses what JSON.parse refuses', () => {
  const characters = [...'{}[]:,"\\u0e+-.1 tfn\n'].concat(['true', 'null', '"a"', '\\u', '\u0001', 'é']);
  const texts = fc.array(fc.constantFrom(...characters), { maxLength: 8 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, (text) => {
      let expected: unknown;
      try {
        expected = JSON.parse(text);
      } catch {
        assert.throws(() => parseJson(text), JsonSyntaxError);
        return;
      }
      assert.deepEqual(toPlain(parseJson(text)), expected);
    }),
    { numRuns: 5000 },
  );
});

test('keeps number texts, duplicate keys and lone surrogates', () => {
  const json = parseJson('{"a":0.10000000000000000001,"a":"\\ud800"}');
  assert.ok(json.kind === 'object');
  assert.deepEqual(
    json.members.map(({ value }) =>
      value.kind === 'number' ? value.text : value.kind === 'string' && value.value,
    ),
    ['0.10000000000000000001', '\ud800'],
  );
});

test('says where', () => {
  const text = '{\n  "a": [1,\n  {"b/c~": 2}]}';
  const pointer = appendPointer('/a/1', 'b/c~');
  assert.equal(pointer, '/a/1/b~1c~0');
  const json = parseJson(text);
  assert.equal(text.slice(offsetOf(json, pointer))[0], '2');
  assert.equal(lineAt(text, offsetOf(json, pointer)), 3);
  assert.equal(offsetOf(json, '/a/9/x'), text.indexOf('['));
  assert.throws(() => parseJson('[1,\n 2'), {
    message: "the text ends where ',' or ']' should be",
    offset: 6,
  });
});

test('deep nesting is an error, not an exhausted stack', () => {
  assert.throws(() => parseJson('['.repeat(100_000)), JsonSyntaxError);
});
