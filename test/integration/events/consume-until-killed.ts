/** Consumes a bus for the group `g`, and reports each message once it is handled. The argument is `EventBusOptions` as JSON. */
import { type EventBusOptions, openEventBus } from '../../../events/open-event-bus.js';

const bus = await openEventBus(JSON.parse(process.argv[2] ?? '') as EventBusOptions);
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
