/** What kafkajs makes of a connection. */
import './kafkajs-patch.js';
import { Kafka, logLevel, type SASLOptions } from 'kafkajs';
import type { KafkaConnection } from './kafka-connection.js';

/** A connection that is not made within this is tried with another broker. */
const CONNECT_WITHIN_MS = 3_000;
const ANSWER_WITHIN_MS = 5_000;
/**
 * 20 ms, 40 ms, … 1 s: some three seconds in all. So short at first because a transaction must wait for a moment until
 * the broker has finished the one before. Whoever asks has a deadline of their own beyond them.
 */
const RETRY = { initialRetryTime: 20, multiplier: 2, maxRetryTime: 1_000, factor: 0.2, retries: 8 };

/** A client whose own log is silent: what goes wrong is told by the errors of those who asked. */
export function createKafkaClient({ brokers, tls, sasl }: KafkaConnection): Kafka {
  return new Kafka({
    clientId: 'quanren',
    brokers: [...brokers],
    ssl: tls ?? false,
    // Its type knows each mechanism alone, not one of several.
    ...(sasl === null ? {} : { sasl: sasl as SASLOptions }),
    connectionTimeout: CONNECT_WITHIN_MS,
    authenticationTimeout: ANSWER_WITHIN_MS,
    requestTimeout: ANSWER_WITHIN_MS,
    retry: RETRY,
    logLevel: logLevel.NOTHING,
  });
}
