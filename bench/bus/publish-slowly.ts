/** Publishes one message after the other to the bus of the argument, a `Place` in JSON. */
import { setTimeout as delay } from 'node:timers/promises';
import { openEventBus } from '../../events/open-event-bus.js';
import { MESSAGES, message, PAUSE_MS, type Place } from './measure-bus.js';

const bus = await openEventBus(JSON.parse(process.argv[2] ?? '') as Place);
for (let i = 0; i < MESSAGES; i += 1) {
  await bus.publish('tag-changes', [message(`u${i}`)]);
  await delay(PAUSE_MS);
}
await bus.close();
