import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import type { Catalog } from '../../../catalog/catalog.js';
import type { PostgresConnection } from '../../../catalog/embedded-postgres.js';
import { type OutboxRelay, startOutboxRelay } from '../../../catalog/outbox-relay.js';
import type { QuanrenError } from '../../../errors/quanren-error.js';
import { openEmbeddedEventBus } from '../../../events/embedded/embedded-event-bus.js';
import type { CrowdRuleMessage } from '../../../events/messages.js';
import type { TopicName } from '../../../events/topics.js';
import {
  createTestCatalog,
  crowdDefinition,
  OVER_18,
  TEST_ZONE,
  tagDefinition,
} from '../../support/catalog.js';
import { query, startTestPostgres, type TestPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';

const WITHIN_MS = 15_000;

interface Sent {
  readonly relay: string;
  readonly key: string;
  readonly version: number | null;
}

let server: TestPostgres;
let catalog: Catalog;
let connection: PostgresConnection;
let superuser: PostgresConnection;
let sent: Sent[] = [];
let relays: OutboxRelay[] = [];

before(async () => {
  server = await startTestPostgres();
});
after(() => server.stop());
beforeEach(async () => {
  sent = [];
  relays = [];
  ({ catalog, connection, superuser } = await createTestCatalog(server));
  await catalog.tags.save(tagDefinition('age'), { principal: 'ann', expected: 'absent' });
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.close()));
  await catalog.close();
});

function start(
  relay: string,
  publish?: () => Promise<void>,
  onError = (_: unknown) => undefined,
): OutboxRelay {
  const started = startOutboxRelay({
    connection,
    zone: TEST_ZONE,
    claim: async () => async (topic, messages) => {
      assert.equal(topic, 'crowd-rules');
      await publish?.();
      for (const { key, value } of messages) {
        sent.push({ relay, key, version: (value as { ruleVersion: number } | null)?.ruleVersion ?? null });
      }
    },
    onError,
  });
  relays.push(started);
  return started;
}

async function save(crowdCode: string, version: number): Promise<void> {
  await catalog.crowds.save(crowdCode, crowdDefinition({ ...OVER_18, value: version }), {
    principal: 'ann',
    expected: version === 1 ? 'absent' : version - 1,
  });
}

/** Ends the connections of all relays, on the server's side. */
async function cutRelaysOff(): Promise<void> {
  await query(
    superuser,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ~ 'outbox|pg_try_advisory_lock'`,
  );
}

const isEmpty = async () => (await query(superuser, 'SELECT count(*)::int AS n FROM outbox'))[0]?.n === 0;

test('a change reaches the bus without polling, in order per key, and leaves the outbox empty', async () => {
  await save('early', 1);
  start('one');
  await until('1 sent', () => sent.length === 1, WITHIN_MS);
  const startedAt = performance.now();
  await save('a', 1);
  await until('2 sent', () => sent.length === 2, WITHIN_MS);
  assert.ok(performance.now() - startedAt < 2_000, 'woken by NOTIFY, not by the timer of 5 s');
  await Promise.all(
    ['b', 'c', 'd'].map(async (code) => {
      for (let version = 1; version <= 10; version += 1) await save(code, version);
      await catalog.crowds.delete(code, { principal: 'ann', expected: 10, maxUnfinished: 10 });
    }),
  );
  await until('35 sent', () => sent.length === 35, WITHIN_MS);
  for (const code of ['b', 'c', 'd']) {
    const versions = sent.filter(({ key }) => key === code).map(({ version }) => version);
    assert.deepEqual(versions, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, null]);
  }
  await until('the outbox is empty', isEmpty, WITHIN_MS);
});

test('while the bus refuses, nothing is lost and nothing overtakes', async () => {
  let refusals = 3;
  const errors: unknown[] = [];
  start(
    'one',
    async () => {
      refusals -= 1;
      if (refusals >= 0) throw new Error('the bus is down');
    },
    (error) => {
      errors.push(error);
    },
  );
  for (let version = 1; version <= 5; version += 1) await save('a', version);
  await until('at least 5 sent', () => sent.length >= 5, WITHIN_MS);
  assert.deepEqual(
    sent.map(({ version }) => version),
    [1, 2, 3, 4, 5],
  );
  assert.equal(errors.length, 3);
});

test('of two relays one is active; the other takes over when it is closed or cut off', async () => {
  start('one');
  await save('a', 1);
  await until('1 sent', () => sent.length === 1, WITHIN_MS);
  start('two');
  await save('a', 2);
  await until('2 sent', () => sent.length === 2, WITHIN_MS);
  assert.deepEqual(
    sent.map(({ relay }) => relay),
    ['one', 'one'],
  );
  await relays[0]?.close();
  await save('a', 3);
  await until('3 sent', () => sent.length === 3, WITHIN_MS);
  assert.equal(sent[2]?.relay, 'two');
  await cutRelaysOff();
  await save('a', 4);
  await until('at least 4 sent', () => sent.length >= 4, WITHIN_MS);
  assert.equal(sent.at(-1)?.version, 4);
});

test('a relay cut off while it publishes puts nothing behind what is published after it', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-relay-'));
  const bus = openEmbeddedEventBus(folder);
  const errors: unknown[] = [];
  let letGo: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  /** The first batch of all is held on its way to the bus; how it ended. */
  let held: Promise<unknown> | undefined;
  const startOverBus = () => {
    const relay = startOutboxRelay({
      connection,
      zone: TEST_ZONE,
      claim: async () => {
        const publish = await bus.claim('outbox');
        return (topic, messages) => {
          const send = () => publish(topic as TopicName, messages);
          if (held !== undefined) return send();
          const sent = released.then(send);
          held = sent.catch((error: unknown) => error);
          return sent;
        };
      },
      onError: (error) => errors.push(error),
    });
    relays.push(relay);
  };
  try {
    await save('a', 1);
    startOverBus();
    await until('one holds the lock', () => held !== undefined, WITHIN_MS);
    startOverBus();
    await cutRelaysOff();
    await save('a', 2);
    await until('the outbox is empty', isEmpty, WITHIN_MS);
    letGo();
    assert.equal(((await held) as QuanrenError).code, 'conflict');

    const versions: number[] = [];
    const subscription = await bus.subscribe({
      topics: ['crowd-rules'],
      group: 'reader',
      start: { from: 'earliest' },
      onBatch: async (messages) => {
        versions.push(...messages.map(({ value }) => (value as CrowdRuleMessage).ruleVersion));
      },
      onError: (error) => errors.push(error),
    });
    await subscription.caughtUp();
    assert.deepEqual(versions, [2]);
    assert.ok(errors.length > 0);
  } finally {
    letGo();
    await Promise.all(relays.map((relay) => relay.close()));
    await bus.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a relay killed between publishing and deleting: its successor sends again, in order', async () => {
  for (let version = 1; version <= 3; version += 1) await save('a', version);
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-relay-'));
  const published = path.join(folder, 'published');
  const module = new URL('../../../catalog/outbox-relay.js', import.meta.url).href;
  const script = `
    import { writeFileSync } from 'node:fs';
    import { startOutboxRelay } from ${JSON.stringify(module)};
    startOutboxRelay({
      connection: ${JSON.stringify(connection)}, zone: ${JSON.stringify(TEST_ZONE)},
      claim: async () => async (topic, messages) => {
        writeFileSync(${JSON.stringify(published)}, JSON.stringify(messages.map(({ value }) => value.ruleVersion)));
        process.kill(process.pid, 'SIGKILL');
      },
      onError: (error) => console.error(error),
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
  const signal = await new Promise((resolve) => child.once('exit', (_, by) => resolve(by)));
  assert.equal(signal, 'SIGKILL');
  assert.deepEqual(JSON.parse(readFileSync(published, 'utf8')), [1, 2, 3]);
  rmSync(folder, { recursive: true });
  assert.equal(await isEmpty(), false);
  start('successor');
  await save('a', 4);
  await until('4 sent', () => sent.length === 4, WITHIN_MS);
  assert.deepEqual(
    sent.map(({ version }) => version),
    [1, 2, 3, 4],
  );
  await until('the outbox is empty', isEmpty, WITHIN_MS);
});
