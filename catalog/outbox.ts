/** Messages about what changed, written in the transaction of the change; `outbox-relay.ts` sends them. */
import type { Queryable } from './database.js';
import type { Crowd } from './types.js';

/** `payload` is a JSON value; null is a tombstone. */
async function enqueue(tx: Queryable, topic: string, key: string, payload: unknown): Promise<void> {
  await tx.query('INSERT INTO outbox (topic, key, payload) VALUES ($1, $2, $3)', [
    topic,
    key,
    payload === null ? null : JSON.stringify(payload),
  ]);
}

/** What the topic `crowd-rules` says of a crowd. The rule travels as text: its numbers keep all their digits. */
export async function enqueueCrowd(tx: Queryable, crowd: Crowd): Promise<void> {
  await enqueue(tx, 'crowd-rules', crowd.crowdCode, {
    crowdCode: crowd.crowdCode,
    status: crowd.status,
    ruleVersion: crowd.version,
    rule: crowd.ruleJson,
  });
}

export async function enqueueCrowdDeletion(tx: Queryable, crowdCode: string): Promise<void> {
  await enqueue(tx, 'crowd-rules', crowdCode, null);
}
