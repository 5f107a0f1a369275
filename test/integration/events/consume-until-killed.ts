/** Consumes the bus in the folder argument for the group `g`, and reports each message when it is handled. */
import { openEmbeddedEventBus } from '../../../events/embedded/embedded-event-bus.js';

const bus = openEmbeddedEventBus(process.argv[2] ?? '');
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
