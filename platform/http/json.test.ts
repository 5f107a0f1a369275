import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBody, RawJson, stringifyReply, textOfMember } from './json.js';

test('a member’s text comes out as it was sent, and goes back so', () => {
  const rule = '{ "value" : 0.10000000000000000000000000001,\n "s":"\\u5708 \\"x\\"" }';
  const body = `{"a":[1,{"rule":7}], "rule" : ${rule} }`;
  assert.equal(textOfMember(body, 'rule'), rule);
  assert.equal(textOfMember(body, 'none'), '');
  assert.equal(
    stringifyReply({ items: [{ rule: new RawJson(rule), name: '"$1"' }] }),
    `{"items":[{"rule":${rule},"name":"\\"$1\\""}]}`,
  );
});

test('bodies: plain values, no key twice, no way to a prototype', () => {
  assert.deepEqual(parseBody('{"a":[1,-2.5e1,"x",true,null]}'), { a: [1, -25, 'x', true, null] });
  assert.throws(() => parseBody('{"a":{"b":1,"b":2}}'), { code: 'bad_request' });
  assert.throws(() => parseBody('{"a":'), { code: 'bad_request' });
  // The rule language tells of it there, with a pointer and everything else that is wrong.
  assert.deepEqual(parseBody('{"rule":{"op":"=","op":">"}}'), { rule: { op: '>' } });
  assert.throws(() => parseBody('{"a":{"rule":{"op":1,"op":2}}}'), { code: 'bad_request' });
  const sly = parseBody('{"__proto__":{"isAdmin":true}}') as Record<string, unknown>;
  assert.equal(sly.isAdmin, undefined);
  assert.ok(Object.hasOwn(sly, '__proto__'));
});
