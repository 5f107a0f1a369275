/** Consumes the bus at the broker and prefix of the arguments for the group `g`, and reports each message once it is handled. */
import { openKafkaEventBus } from '../../../events/kafka/kafka-event-bus.js';

const [broker = '', prefix = ''] = process.argv.slice(2);
const bus = openKafkaEventBus({ brokers: [broker], prefix, tls: null, sasl: null });
await bus.subscribe({
  topics: ['tag-changes'],
  group: 'g',
  start: { from: 'committed' },
  maxBatch: 3,
  onBatch: async (messages) => {
    for (const { key } of messages) process.stdout.write(`${key}\n`);
  },
  onError: (error) => process.stderr.write(`${String(error)}\n`),
});
