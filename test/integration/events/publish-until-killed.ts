/** Publishes one message after the other to the bus in the folder argument, and reports each that was acknowledged. */
import { setTimeout as delay } from 'node:timers/promises';
import { openEmbeddedEventBus } from '../../../events/embedded/embedded-event-bus.js';

const [folder = '', pauseMs = '0'] = process.argv.slice(2);
const bus = openEmbeddedEventBus(folder);
for (let i = 0; ; i += 1) {
  const uid = `u${i}`;
  const value = {
    uid,
    tagCode: 'rt_page',
    value: String(performance.timeOrigin + performance.now()),
    changeTimeMs: 1,
  };
  await bus.publish('tag-changes', [{ key: uid, value }]);
  process.stdout.write(`${uid}\n`);
  if (pauseMs !== '0') await delay(Number(pauseMs));
}
