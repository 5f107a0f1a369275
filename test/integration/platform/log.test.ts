/** What the platform's log tells of requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../../../config/logger.js';
import { openPlatformApi } from '../../support/platform-api.js';
import { query, startTestPostgres } from '../../support/postgres.js';

const UID = 'uid-00095';
const TOKEN = 'qk_00095';

test('neither who is asked for nor who asks, whatever becomes of the request', async () => {
  const server = await startTestPostgres();
  let output = '';
  const logger = createLogger('platform', {
    write: (line) => {
      output += line;
    },
  });
  const open = await openPlatformApi(server, undefined, logger);
  try {
    const ask = async (what: string, body?: unknown) => {
      const headers = { authorization: `Bearer ${TOKEN}` };
      return (await open.ask(what, body === undefined ? { headers } : { headers, body })).status;
    };
    assert.equal(await ask(`GET /explain?uid=${UID}&crowdCode=nobodys`), 404);
    assert.equal(await ask(`GET /explain?uid=${UID}&crowdCode=a&dt=${UID}`), 400);
    assert.equal(await ask(`GET /nowhere/${UID}?uid=${UID}`), 404);
    assert.equal(await ask(`PATCH /explain?uid=${UID}`), 405);
    assert.equal(await ask(`PUT /tags/${UID}`, { uid: UID }), 400);
    await query({ ...server.connection, database: 'test_1' }, 'DROP TABLE crowd_rules CASCADE');
    assert.equal(await ask(`GET /explain?uid=${UID}&crowdCode=a`), 500);
  } finally {
    await open.close();
    await server.stop();
  }
  assert.ok(!output.includes('00095'), output);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { req?: { route?: string }; res?: unknown; err?: object });
  const failed = lines.filter(({ err }) => err !== undefined);
  assert.equal(failed.length, 1);
  assert.match(JSON.stringify(failed), /42P01/);
  assert.doesNotMatch(JSON.stringify(failed), /does not exist/);
  assert.deepEqual(
    lines.flatMap(({ req }) => (req === undefined ? [] : [req.route])),
    ['/explain', '/explain', undefined, '/explain', '/tags/:tagCode', '/explain'],
  );
});
