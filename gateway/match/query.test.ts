import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseMatchQuery, parseTagsQuery } from './query.js';

test('parameters decode as forms do', () => {
  const cases: [string, string, string | undefined][] = [
    ['uid=u1', 'u1', undefined],
    ['uid=u1&crowdCode=vip', 'u1', 'vip'],
    ['crowdCode=vip&uid=u1', 'u1', 'vip'],
    ['uid=a+b%2Bc', 'a b+c', undefined],
    ['uid=%E5%9C%88%E4%BA%BA%F0%9F%98%80', '圈人😀', undefined],
    ['uid=a%3Db=c', 'a=b=c', undefined],
    ['%75id=u1', 'u1', undefined],
    ['&uid=u1&&', 'u1', undefined],
  ];
  for (const [query, uid, crowdCode] of cases) {
    assert.deepEqual(parseMatchQuery(query), { uid, crowdCode }, query);
  }
});

test('what is missing, empty, repeated, too long or badly encoded is refused', () => {
  const bad: [string, string][] = [
    ['', 'bad_request'],
    ['uid', 'invalid_uid'],
    ['uid=', 'invalid_uid'],
    ['UID=u1', 'bad_request'],
    ['uid=u1&uid=u1', 'bad_request'],
    ['uid=u1&%75id=u2', 'bad_request'],
    ['uid=%', 'bad_request'],
    ['uid=%zz', 'bad_request'],
    ['uid=%E5%9C', 'bad_request'],
    ['uid=%ED%A0%80', 'bad_request'],
    ['uid=a%00b', 'invalid_uid'],
    [`uid=${'a'.repeat(513)}`, 'invalid_uid'],
    [`uid=${encodeURIComponent('圈'.repeat(171))}`, 'invalid_uid'],
    ['uid=u1&crowd_code=vip', 'bad_request'],
    ['uid=u1&crowdcode=vip', 'bad_request'],
    ['uid=u1&other', 'bad_request'],
    ['uid=u1&%zz=3', 'bad_request'],
    ['uid=u1&=4', 'bad_request'],
    ['uid=u1&crowdCode=', 'bad_request'],
    ['uid=u1&crowdCode=a&crowdCode=b', 'bad_request'],
    [`uid=u1&crowdCode=${'a'.repeat(51)}`, 'bad_request'],
  ];
  for (const [query, code] of bad) assert.throws(() => parseMatchQuery(query), { code }, query);
  assert.equal(parseTagsQuery(`uid=${'a'.repeat(512)}`).uid.length, 512);
});

test('every valid uid comes back from its encoding', () => {
  const uid = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((s) => !s.includes('\0'));
  const crowdCode = uid.filter((s) => s.length <= 50);
  fc.assert(
    fc.property(uid, crowdCode, (given, other) => {
      assert.equal(
        parseMatchQuery(`crowdCode=${encodeURIComponent(other)}&uid=${encodeURIComponent(given)}`).uid,
        given,
      );
      assert.equal(parseMatchQuery(new URLSearchParams({ uid: given }).toString()).uid, given);
    }),
  );
});
