import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StateLog } from './state-log.js';

function createLog() {
  const lines: string[] = [];
  const news: string[] = [];
  const note = (level: string) => (_fields: unknown, line?: string) => lines.push(`${level} ${line}`);
  const target = { info: note('info'), warn: note('warn') } as ConstructorParameters<typeof StateLog>[0];
  return { lines, news, log: new StateLog(target, (line) => news.push(line)) };
}

test('each change is one line, and what stays is none', () => {
  const { lines, news, log } = createLog();
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
  assert.deepEqual(
    news,
    lines.map((line) => line.replace(/^\w+ /, '')),
  );
});

test('reasons that come in turns are told once, a few of them, until it is well again', () => {
  const { lines, log } = createLog();
  const reasons = ['refused', 'reset', 'refused', 'late', 'reset', 'a', 'b', 'c', 'd'];
  for (const reason of reasons) log.look(new Map([['the stream', reason]]));
  assert.deepEqual(
    lines,
    ['refused', 'reset', 'late', 'a'].map((reason) => `warn the stream: ${reason}`),
  );
  log.look(new Map());
  log.look(new Map([['the stream', 'refused']]));
  assert.deepEqual(lines.slice(4), ['info the stream: well again', 'warn the stream: refused']);
});
