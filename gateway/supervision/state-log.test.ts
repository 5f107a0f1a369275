import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StateLog } from './state-log.js';

test('each change is one line, and what stays is none', () => {
  const lines: string[] = [];
  const note = (level: string) => (_fields: unknown, line?: string) => lines.push(`${level} ${line}`);
  const log = new StateLog({ info: note('info'), warn: note('warn') } as ConstructorParameters<
    typeof StateLog
  >[0]);
  log.look(new Map());
  log.look(new Map([['the stream', 'silent']]));
  log.look(
    new Map([
      ['the stream', 'silent'],
      ['server a:1', 'away'],
    ]),
  );
  log.look(new Map([['server a:1', 'gone']]));
  log.look(new Map());
  assert.deepEqual(lines, [
    'warn the stream: silent',
    'warn server a:1: away',
    'warn server a:1: gone',
    'info the stream: well again',
    'info server a:1: well again',
  ]);
});
