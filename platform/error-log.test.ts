import assert from 'node:assert/strict';
import { test } from 'node:test';
import { QuanrenError } from '../errors/quanren-error.js';
import { ErrorLog } from './error-log.js';

test('a sentence is told once a minute, with how often it was, and without a stack where it is ours', () => {
  let nowMs = 0;
  const told: unknown[] = [];
  const lines: string[] = [];
  const note = (level: string) => (fields: object, line: string) => told.push([level, fields, line]);
  const log = { warn: note('warn'), error: note('error') } as unknown as ConstructorParameters<
    typeof ErrorLog
  >[0]['log'];
  const errors = new ErrorLog({ log, onLine: (line) => lines.push(line), stopwatch: () => nowMs });
  const away = () => errors.note('The relay', new QuanrenError('unavailable', 'Kafka is away.'));
  away();
  nowMs = 59_999;
  away();
  away();
  const defect = new TypeError('x is not a function');
  errors.note('The relay', defect);
  nowMs = 60_000;
  away();
  assert.deepEqual(told, [
    ['warn', { repeated: 0, code: 'unavailable' }, 'The relay failed: Kafka is away'],
    ['error', { repeated: 0, err: defect }, 'The relay failed: x is not a function'],
    ['warn', { repeated: 2, code: 'unavailable' }, 'The relay failed: Kafka is away'],
  ]);
  assert.equal(lines.length, 3);
});
