/** A compacted topic whose first segment has lost all its messages, and keeps the mark of who had written them. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import type { CrowdRuleMessage } from '../../../events/messages.js';
import { startTestEngine } from '../../support/engines.js';
import { createKafkaPlace } from '../../support/kafka.js';

const SEGMENT_MS = 200;
const SEGMENT_BYTES = 1_048_576;
const CROWDS = Array.from({ length: 9 }, (_, i) => `crowd_${i}`);

const rules = (ruleVersion: number, sizeBytes: number) =>
  CROWDS.map((crowdCode): { key: string; value: CrowdRuleMessage } => ({
    key: crowdCode,
    value: { crowdCode, status: 'active', ruleVersion, rule: 'x'.repeat(sizeBytes) },
  }));

it('a segment without messages is passed over', { timeout: 120_000 }, async () => {
  const kafka = await startTestEngine('kafka', { settings: { 'log.cleaner.backoff.ms': '100' } });
  const place = createKafkaPlace(kafka);
  const bus = await place.open();
  try {
    // Makes the topic.
    await (
      await bus.subscribe({
        topics: ['crowd-rules'],
        group: 'first',
        start: { from: 'earliest' },
        onBatch: async () => undefined,
        onError: assert.ifError,
      })
    ).close();
    const topic = `${place.connection.prefix}crowd-rules`;
    const foreigner = new Kafka({ brokers: [...place.connection.brokers], logLevel: logLevel.NOTHING });
    const admin = foreigner.admin();
    await admin.connect();
    const configs = {
      'cleanup.policy': 'compact',
      'max.message.bytes': '17000000',
      'segment.bytes': String(SEGMENT_BYTES),
      'segment.ms': String(SEGMENT_MS),
      'min.cleanable.dirty.ratio': '0.01',
      'delete.retention.ms': '0',
    };
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] });
    await admin.disconnect();

    // A writer of its own, which writes nothing after: Kafka remembers where it was by a batch without messages.
    const writer = foreigner.producer({ idempotent: true });
    await writer.connect();
    await writer.send({
      topic,
      messages: rules(1, 110_000).map(({ key, value }) => ({ key, value: JSON.stringify(value) })),
    });
    await delay(2 * SEGMENT_MS);
    // So long that the cleaner does not put both segments into one.
    await bus.publish('crowd-rules', rules(2, 10_000));
    await delay(2 * SEGMENT_MS);
    await bus.publish('crowd-rules', [{ key: 'last', value: null }]);

    const segment = path.join(kafka.engine.folder, 'data', `${topic}-0`, '00000000000000000000.log');
    const deadline = performance.now() + 60_000;
    while (statSync(segment).size > 1_000) {
      assert.ok(performance.now() < deadline, `the segment still has ${statSync(segment).size} bytes`);
      await delay(100);
    }
    assert.ok(statSync(segment).size > 0, 'the batch without messages is there');
    const versions = new Map<string, number | undefined>();
    const subscription = await bus.subscribe({
      topics: ['crowd-rules'],
      group: 'second',
      start: { from: 'earliest' },
      onBatch: async (messages) => {
        for (const { key, value } of messages)
          versions.set(key, (value as CrowdRuleMessage | null)?.ruleVersion);
      },
      onError: assert.ifError,
    });
    const tooLate = delay(10_000, undefined, { ref: false }).then(() => assert.fail('it does not go on'));
    await Promise.race([subscription.caughtUp(), tooLate]);
    assert.deepEqual([...versions].sort(), [...CROWDS.map((code) => [code, 2]), ['last', undefined]].sort());
    await writer.disconnect();
  } finally {
    await bus.close();
    await kafka.remove();
  }
});
