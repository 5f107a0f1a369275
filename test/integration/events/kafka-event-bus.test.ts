import { after, before } from 'node:test';
import { describeEventBusContract } from '../../../events/event-bus.contract.js';
import { startTestEngine, type TestEngine } from '../../support/engines.js';
import { createKafkaPlace } from '../../support/kafka.js';

let kafka: TestEngine;
before(async () => {
  kafka = await startTestEngine('kafka');
});
after(() => kafka.remove());

describeEventBusContract('the bus over Kafka', async () => createKafkaPlace(kafka));
