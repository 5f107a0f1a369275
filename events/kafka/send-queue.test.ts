import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Placed, SendQueue } from './send-queue.js';

const message = (key: string, sizeBytes = 1): Placed => ({
  topic: 'tag-changes',
  partition: 0,
  key,
  value: Buffer.alloc(sizeBytes),
});

describe('the queue of messages to Kafka', () => {
  it('keeps the order over calls, one send at a time, and tells each call when its last message is sent', async () => {
    const calls = fc.array(fc.array(fc.integer({ min: 1, max: 3_000_000 }), { maxLength: 6 }), {
      maxLength: 10,
    });
    await fc.assert(
      fc.asyncProperty(calls, async (sizes) => {
        const sent: string[] = [];
        let underWay = 0;
        const queue = new SendQueue(async (messages) => {
          underWay += 1;
          assert.equal(underWay, 1);
          const bytes = messages.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
          assert.ok(messages.length === 1 || (messages.length <= 1_000 && bytes <= 4 * 1024 * 1024));
          await Promise.resolve();
          sent.push(...messages.map(({ key }) => key));
          underWay -= 1;
        });
        const keys = (call: number) => sizes[call]?.map((_, i) => `${call}-${i}`) ?? [];
        await Promise.all(
          sizes.map(async (ofCall, call) => {
            await queue.add(ofCall.map((size, i) => message(`${call}-${i}`, size)));
            for (const key of keys(call)) assert.ok(sent.includes(key));
          }),
        );
        assert.deepEqual(
          sent,
          sizes.flatMap((_, call) => keys(call)),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('fails what waits behind a send that failed, and goes on with what comes after', async () => {
    const sent: string[] = [];
    let fails = true;
    const queue = new SendQueue(async (messages) => {
      await Promise.resolve();
      if (fails) throw new Error('away');
      sent.push(...messages.map(({ key }) => key));
    });
    const before = [queue.add([message('a')]), queue.add([message('b')]), queue.add([message('c')])];
    const outcomes = await Promise.allSettled(before);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    fails = false;
    await queue.add([message('d')]);
    assert.deepEqual(sent, ['d']);
  });

  it('refuses more than it may hold', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const queue = new SendQueue(() => held);
    const mebibyte = 1024 * 1024;
    const first = queue.add([message('a')]);
    const waiting = queue.add(Array.from({ length: 4 }, (_, i) => message(`b${i}`, 16 * mebibyte)));
    await assert.rejects(queue.add([message('c')]), { code: 'overloaded' });
    release();
    await Promise.all([first, waiting]);
    await queue.add([message('c')]);
    await queue.settled();
  });
});
