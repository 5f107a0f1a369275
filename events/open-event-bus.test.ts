import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { openEventBus } from './open-event-bus.js';

it('kafkajs is loaded for a bus over Kafka alone', async () => {
  const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((file) => /kafkajs/.test(file));
  const folder = mkdtempSync(path.join(tmpdir(), 'quanren-bus-'));
  const embedded = await openEventBus({ kafka: null, folder });
  assert.equal(loaded(), false);
  await embedded.close();
  rmSync(folder, { recursive: true });
  const over = await openEventBus({
    kafka: { brokers: ['127.0.0.1:1'], prefix: '', tls: null, sasl: null },
    folder,
  });
  assert.equal(loaded(), true);
  await over.close();
});
