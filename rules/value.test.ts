import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { formatDate, formatInstant, parseDate, parseWrittenInstant } from './civil.js';
import { formatDecimal } from './decimal.js';
import { createTag, parseTags, type TagFields } from './parse-tags.js';
import type { Tag } from './tag.js';
import { decodeValue } from './value.js';
import { getZone } from './zone.js';

const zone = getZone('Asia/Shanghai');

function tag(fields: Omit<TagFields, 'tag_code'>): Tag {
  const result = createTag({ tag_code: 't', ...fields });
  assert.ok(result.ok, inspect(result));
  return result.value;
}

function decode(of: Tag, raw: string): string | null {
  const value = decodeValue(of, raw, zone);
  if (value === null) return null;
  if (typeof value === 'object') return formatDecimal(value);
  if (typeof value === 'number') return formatDate(value);
  return typeof value === 'bigint' ? formatInstant(value) : String(value);
}

function check(of: Tag, cases: Readonly<Record<string, string | null>>): void {
  for (const [raw, expected] of Object.entries(cases)) {
    assert.equal(decode(of, raw), expected, `${of.format ?? of.type} ${JSON.stringify(raw)}`);
  }
}

test('a missing value is null', () => {
  assert.equal(decodeValue(tag({ tag_type: 'enum' }), null, zone), null);
  assert.equal(decodeValue(tag({ tag_type: 'enum' }), undefined, zone), null);
});

test('enum: every text is a value, also the empty one', () => {
  check(tag({ tag_type: 'enum' }), { '': '', ' A ': ' A ', '🦊': '🦊' });
});

test('boolean: four texts', () => {
  check(tag({ tag_type: 'boolean' }), { true: 'true', '1': 'true', false: 'false', '0': 'false' });
  check(tag({ tag_type: 'boolean' }), { TRUE: null, t: null, yes: null, '': null, '01': null });
});

test('date: exactly YYYY-MM-DD, a day that exists', () => {
  check(tag({ tag_type: 'datetime', value_format: 'date' }), {
    '2024-02-29': '2024-02-29',
    '0001-01-01': '0001-01-01',
    '9999-12-31': '9999-12-31',
    '0000-12-31': null,
    '2023-02-29': null,
    '1900-02-29': null,
    '2000-02-29': '2000-02-29',
    '2023-04-31': null,
    '2023-13-01': null,
    '2023-1-1': null,
    '2023-01-01 ': null,
    '2023-01-01T00:00': null,
    '٢٠٢٣-01-01': null,
  });
});

test('date:yyyymmdd: eight digits as text; the number as an integer', () => {
  check(tag({ tag_type: 'datetime', value_format: 'date:yyyymmdd' }), {
    '19980630': '1998-06-30',
    '00010101': '0001-01-01',
    '10101': null,
    '19980631': null,
    '1998-06-30': null,
  });
  check(tag({ tag_type: 'datetime', value_format: 'date:yyyymmdd', source_type: 'int' }), {
    '19980630': '1998-06-30',
    '10101': '0001-01-01',
    '-10101': null,
    '0': null,
    '100000101': null,
  });
});

test('instant: ISO text, with the platform zone where none is written', () => {
  check(tag({ tag_type: 'datetime', value_format: 'instant' }), {
    '2026-11-23T10:00:00+08:00': '2026-11-23T02:00:00Z',
    '2026-11-23 10:00': '2026-11-23T02:00:00Z',
    '2026-11-23T10:00:00.5Z': '2026-11-23T10:00:00.5Z',
    '2026-11-23T10:00:00.000001-18:59': '2026-11-24T04:59:00.000001Z',
    '0001-01-01T08:05:43': '0001-01-01T00:00:00Z',
    '0001-01-01T08:05:42': null,
    '9999-12-31T23:59:59.999999Z': '9999-12-31T23:59:59.999999Z',
    '9999-12-31T23:59:59-00:01': null,
    '2026-11-23': null,
    '2026-11-23T24:00': null,
    '2026-11-23T10:00:60': null,
    '2026-11-23T10:00.5': null,
    '2026-11-23T10:00:00.': null,
    '2026-11-23T10:00:00.1234567': null,
    '2026-11-23T10:00z': null,
    '2026-11-23t10:00': null,
    '2026-11-23T10:00+0800': null,
    '2026-11-23T10:00+19:00': null,
    '2026-11-23T10:00+08:60': null,
    '2026-11-23  10:00': null,
    '2026-02-30T10:00': null,
    infinity: null,
  });
});

test('epochs: whole numbers, however long', () => {
  check(tag({ tag_type: 'datetime', value_format: 'instant:epoch_seconds' }), {
    '1678886400': '2023-03-15T13:20:00Z',
    '-1': '1969-12-31T23:59:59Z',
    '-0': '1970-01-01T00:00:00Z',
    '000000000000000000000000000000001': '1970-01-01T00:00:01Z',
    '253402300799': '9999-12-31T23:59:59Z',
    '253402300800': null,
    '-62135596800': '0001-01-01T00:00:00Z',
    '-62135596801': null,
    ['9'.repeat(100_000)]: null,
    '1.0': null,
    '+1': null,
    '': null,
  });
  check(tag({ tag_type: 'datetime', value_format: 'instant:epoch_millis', source_type: 'BIGINT' }), {
    '-1': '1969-12-31T23:59:59.999Z',
    '253402300799999': '9999-12-31T23:59:59.999Z',
    '253402300800000': null,
  });
});

test('dates and written moments agree with Date on every day of 400 years', () => {
  for (let day = -300_000; day < 300_000; day += 7) {
    const iso = new Date(day * 86_400_000).toISOString().slice(0, 10);
    assert.equal(formatDate(day), iso);
    assert.equal(parseDate(iso), day);
    assert.equal(parseWrittenInstant(`${iso}T00:00Z`)?.localMicros, BigInt(day) * 86_400_000_000n);
  }
});

test('tags: types, columns and formats that go together', () => {
  const accepted: [Omit<TagFields, 'tag_code'>, Partial<Tag>][] = [
    [
      { tag_type: 'enum', source_type: 'varchar(20)' },
      { column: { kind: 'text', padded: false }, sourceField: 't', format: null },
    ],
    [
      { tag_type: 'numeric', source_type: 'Decimal( 10 , 2 )' },
      { column: { kind: 'decimal', precision: 10, scale: 2 } },
    ],
    [
      { tag_type: 'numeric', source_type: 'NUMERIC(5)' },
      { column: { kind: 'decimal', precision: 5, scale: 0 } },
    ],
    [{ tag_type: 'numeric', source_type: 'DECIMAL' }, { column: { kind: 'number' } }],
    [{ tag_type: 'numeric', source_type: 'TINYINT' }, { column: { kind: 'integer', bits: 8 } }],
    [{ tag_type: 'datetime', source_type: 'DATE' }, { format: 'date' }],
    [
      { tag_type: 'datetime', source_type: 'timestamp  with time zone' },
      { format: 'instant', column: { kind: 'timestamptz' } },
    ],
    [{ tag_type: 'boolean', source_field: 'A "b"' }, { sourceField: 'A "b"' }],
  ];
  for (const [fields, expected] of accepted) {
    const made: Partial<Tag> = tag(fields);
    for (const key of Object.keys(expected) as (keyof Tag)[]) assert.deepEqual(made[key], expected[key]);
  }
  const refused: [TagFields, string, string][] = [
    [{ tag_code: 'Age', tag_type: 'numeric' }, 'invalid_code', '/tag_code'],
    [{ tag_code: 't', tag_type: 'Numeric' }, 'invalid_tag', '/tag_type'],
    [{ tag_code: 't', tag_type: 'numeric', source_type: 'DOUBLE' }, 'float_column', '/source_type'],
    [{ tag_code: 't', tag_type: 'numeric', source_type: 'float' }, 'float_column', '/source_type'],
    [{ tag_code: 't', tag_type: 'numeric', source_type: 'DECIMAL(39,0)' }, 'invalid_tag', '/source_type'],
    [{ tag_code: 't', tag_type: 'numeric', source_type: 'BOOLEAN' }, 'invalid_tag', '/source_type'],
    [{ tag_code: 't', tag_type: 'enum', source_type: 'ARRAY<INT>' }, 'invalid_tag', '/source_type'],
    [{ tag_code: 't', tag_type: 'enum', value_format: 'date' }, 'invalid_tag', '/value_format'],
    [{ tag_code: 't', tag_type: 'datetime' }, 'invalid_tag', '/value_format'],
    [
      { tag_code: 't', tag_type: 'datetime', value_format: 'date', source_type: 'INT' },
      'invalid_tag',
      '/source_type',
    ],
    [{ tag_code: 't', tag_type: 'enum', source_field: '' }, 'invalid_tag', '/source_field'],
  ];
  for (const [fields, code, pointer] of refused) {
    const result = createTag(fields);
    assert.deepEqual(result.ok ? [] : result.diagnostics.map((d) => [d.code, d.pointer]), [[code, pointer]]);
  }
});

test('tags: a whole file, all its problems at once', () => {
  const good = parseTags('[{"tag_code":"age","tag_type":"numeric","source_type":null,"description":"x"}]');
  assert.ok(good.ok && good.value.get('age')?.sourceField === 'age');
  const bad = parseTags(
    '[{"tag_code":"a","tag_type":"enum"},{"tag_code":"a","tag_type":"enum"},{"tag_type":7},3]',
  );
  assert.deepEqual(bad.ok ? [] : bad.diagnostics.map((d) => [d.code, d.pointer]), [
    ['duplicate_tag', '/1/tag_code'],
    ['missing_key', '/2/tag_code'],
    ['invalid_tag', '/2/tag_type'],
    ['invalid_tag', '/3'],
  ]);
  for (const text of ['{', '{}']) assert.ok(!parseTags(text).ok);
});
