import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kafka, RecordMetadata } from 'kafkajs';
import { ClaimedProducer, OpenProducer } from './producers.js';

/** As kafkajs answers after a fail-over: for the partitions that it has sent, which are not all. */
function answering(partitions: readonly number[], counts: { committed: number }): () => Kafka {
  const answer = async (): Promise<RecordMetadata[]> =>
    partitions.map((partition) => ({ topicName: 'changes', partition, errorCode: 0 }));
  const sender = { sendBatch: answer, connect: async () => undefined, disconnect: async () => undefined };
  const transaction = async () => ({
    ...sender,
    abort: async () => undefined,
    commit: async () => {
      counts.committed += 1;
    },
  });
  return () => ({ producer: () => ({ ...sender, transaction }) }) as unknown as Kafka;
}

const SENT = [
  { topic: 'changes', messages: [0, 1, 2].map((partition) => ({ key: 'k', value: 'v', partition })) },
];

test('what a broker has not acknowledged is not published, whatever kafkajs says', async () => {
  const counts = { committed: 0 };
  const send = async (partitions: readonly number[]) => {
    const open = answering(partitions, counts);
    const claimed = await ClaimedProducer.claim(open, 'id', 'role');
    return Promise.allSettled([new OpenProducer(open).send(SENT), claimed.send(SENT)]);
  };
  for (const outcome of await send([0, 2])) {
    assert.ok(outcome.status === 'rejected');
    assert.equal((outcome.reason as { code?: string }).code, 'unavailable');
    assert.match(String(outcome.reason), /partition 1 of changes/);
  }
  assert.equal(counts.committed, 0);
  for (const { status } of await send([2, 1, 0])) assert.equal(status, 'fulfilled');
  assert.equal(counts.committed, 1);
});
