import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from './logger.js';

const SECRET = 'qk_00095';

test('no user, credential or foreign word gets into a line', () => {
  let output = '';
  const log = createLogger('test', {
    write: (line) => {
      output += line;
    },
  });
  log.info({ uid: SECRET, uids: [SECRET], token: SECRET, password: SECRET, place: 3 }, 'fields');
  log.info({ request: { uid: SECRET, headers: { authorization: SECRET }, query: SECRET } }, 'below');
  log.child({ uid: SECRET }).info('bound');
  log.error({ err: new Error(SECRET, { cause: new Error(SECRET) }) }, 'an error');
  log.error({ err: new Error(SECRET) });
  log.error(new Error(SECRET));
  assert.ok(!output.includes(SECRET), output);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ name, msg }) => [name, msg]),
    [
      ['test', 'fields'],
      ['test', 'below'],
      ['test', 'bound'],
      ['test', 'an error'],
      ['test', 'An error'],
      ['test', 'An error'],
    ],
  );
  assert.equal(lines[0]?.place, 3);
  assert.equal((lines[3]?.err as { type?: string } | undefined)?.type, 'Error');
});
