import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorLog } from './error-log.js';
import { QuanrenError } from './quanren-error.js';

function createErrorLog() {
  const world = { nowMs: 0, told: [] as unknown[], lines: [] as string[] };
  const note = (level: string) => (fields: object, line: string) => world.told.push([level, fields, line]);
  const log = { warn: note('warn'), error: note('error') } as unknown as ConstructorParameters<
    typeof ErrorLog
  >[0]['log'];
  const errors = new ErrorLog({
    log,
    onLine: (line) => world.lines.push(line),
    stopwatch: () => world.nowMs,
  });
  return { world, errors };
}

test('a sentence is told once a minute, with how often it was; of what is not ours, no word', () => {
  const { world, errors } = createErrorLog();
  const away = () => errors.note('The relay', new QuanrenError('unavailable', 'Kafka is away.'));
  away();
  world.nowMs = 59_999;
  away();
  away();
  const defect = new TypeError('user 00095 is not a function');
  errors.note('The relay', defect);
  errors.note('The relay', defect);
  world.nowMs = 60_000;
  away();
  assert.deepEqual(world.told, [
    ['warn', { repeated: 0, code: 'unavailable' }, 'The relay failed: Kafka is away'],
    ['error', { repeated: 0, err: defect }, 'The relay failed: TypeError, a defect'],
    ['warn', { repeated: 2, code: 'unavailable' }, 'The relay failed: Kafka is away'],
  ]);
  assert.equal(world.lines.length, 3);
});

test('defects of one class in two places are two', () => {
  const { world, errors } = createErrorLog();
  errors.note('A request', new TypeError('a'));
  errors.note('A request', new TypeError('a'));
  assert.equal(world.told.length, 2);
});

test('so many sentences are told in a minute and no more, however many there are', () => {
  const { world, errors } = createErrorLog();
  const flood = (from: number) => {
    for (let i = from; i < from + 1_000; i++) errors.note('It', new QuanrenError('unavailable', `No ${i}.`));
  };
  flood(0);
  assert.equal(world.told.length, 100);
  world.nowMs = 60_000;
  flood(1_000);
  assert.equal(world.told.length, 200);
});
