import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectVersion, readPrecondition } from './preconditions.js';

const expected = (headers: Parameters<typeof readPrecondition>[0], current: number | undefined) =>
  expectVersion(readPrecondition(headers), current);

test('what a change must find', () => {
  assert.equal(expected({ 'if-match': '"3"' }, 3), 3);
  assert.equal(expected({ 'if-match': '"2", "3"' }, 3), 3);
  assert.equal(expected({ 'if-match': ' * ' }, 3), 3);
  assert.equal(expected({ 'if-none-match': '*' }, undefined), 'absent');
  assert.equal(expected({ 'if-none-match': '*' }, 3), 'absent', 'the change itself then fails');
  assert.equal(expected({}, undefined), 'absent');
});

test('what is refused', () => {
  assert.throws(() => expected({}, 3), { code: 'precondition_required' });
  for (const ifMatch of ['"4"', 'W/"3"', '"x"', '"03"', '""'])
    assert.throws(() => expected({ 'if-match': ifMatch }, 3), { code: 'precondition_failed' });
  assert.throws(() => expected({ 'if-match': '*' }, undefined), { code: 'precondition_failed' });
  for (const headers of [
    { 'if-match': '3' },
    { 'if-match': '"3" "4"' },
    { 'if-match': '' },
    { 'if-none-match': '"3"' },
    { 'if-match': '"3"', 'if-none-match': '*' },
  ])
    assert.throws(() => expected(headers, 3), { code: 'bad_request' });
});
