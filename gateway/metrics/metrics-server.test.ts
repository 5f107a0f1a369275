import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, Registry } from 'prom-client';
import { startMetricsServer } from './metrics-server.js';

test('only GET and HEAD of /metrics are served', async () => {
  const registry = new Registry();
  new Counter({ name: 'answers_total', help: 'Answers.', registers: [registry] }).inc(2);
  const server = await startMetricsServer(registry, 0, assert.ifError);
  try {
    const ask = (path: string, method: string) => fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    assert.match(await (await ask('/metrics', 'GET')).text(), /^answers_total 2$/m);
    assert.equal((await ask('/metrics', 'HEAD')).status, 200);
    const refused = await ask('/metrics', 'POST');
    assert.equal(refused.status, 405);
    assert.equal(refused.headers.get('allow'), 'GET, HEAD');
    assert.equal((await ask('/', 'GET')).status, 404);
  } finally {
    await server.close();
  }
});
