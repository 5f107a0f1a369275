import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv } from 'ajv';
import type { FastifySchemaValidationError } from 'fastify/types/schema.js';
import { Type } from 'typebox';
import { body, Code, Dt, nullable, text } from './schemas.js';
import { toValidationMessages } from './validation-messages.js';

const schema = body({
  dt: Type.Optional(Dt),
  codes: Type.Optional(Type.Array(Code)),
  type: Type.Optional(nullable(Type.Union([Type.Literal('enum'), Type.Literal('numeric')]))),
  name: text(5),
});
const validate = new Ajv({ allErrors: true, verbose: true, strict: false }).compile(schema);

function messages(value: unknown): string[] {
  assert.equal(validate(value), false);
  const errors = validate.errors as FastifySchemaValidationError[];
  return toValidationMessages(errors).map(({ pointer, message }) => `${pointer} ${message}`);
}

test('each fault is told once, in words', () => {
  assert.deepEqual(messages({}), [" lacks 'name'"]);
  assert.deepEqual(messages({ name: 'n', colour: 1 }), [" has 'colour', which is not known here"]);
  assert.deepEqual(messages({ name: 'n', dt: '19980630' }), [
    '/dt is not of the form: A business date, 1998-06-30.',
  ]);
  assert.deepEqual(messages({ name: 'n', codes: ['a', 'B'] }), [
    '/codes/1 is not of the form: A small letter, then up to 49 small letters, digits and underscores.',
  ]);
  assert.deepEqual(messages({ name: 'a\0' }), [
    '/name has characters that cannot be kept (U+0000 or half of a surrogate pair)',
  ]);
  assert.deepEqual(messages({ name: 'too long' }), ['/name must NOT have more than 5 characters']);
});

test('the choices of a union are told together', () => {
  assert.deepEqual(messages({ name: 'n', type: 'text' }), [
    '/type must be "enum" or "numeric"',
    '/type must be null',
  ]);
});
