/** What kafkajs makes of a connection. */
import './kafkajs-patch.js';
import net from 'node:net';
import tls from 'node:tls';
import { type ISocketFactoryArgs, Kafka, logLevel, type SASLOptions } from 'kafkajs';
import type { KafkaConnection } from './kafka-connection.js';

/** A connection that is not made within this is tried with another broker. */
const CONNECT_WITHIN_MS = 3_000;
const ANSWER_WITHIN_MS = 5_000;
const KEEP_ALIVE_AFTER_MS = 60_000;
/**
 * 20 ms, 40 ms, … 1 s: some three seconds in all. So short at first because a transaction must wait for a moment until
 * the broker has finished the one before. Whoever asks has a deadline of their own beyond them.
 */
const RETRY = { initialRetryTime: 20, multiplier: 2, maxRetryTime: 1_000, factor: 0.2, retries: 8 };

/** A client whose connections end with the signal. */
export type OpenKafka = (until: AbortSignal) => Kafka;

/**
 * Its own log is silent: what goes wrong is told by the errors of those who asked. When the signal aborts, its connections
 * end and no other is made: kafkajs goes on trying for a while after what uses it was given up.
 */
export function createKafkaClient({ brokers, tls, sasl }: KafkaConnection, until: AbortSignal): Kafka {
  return new Kafka({
    clientId: 'quanren',
    brokers: [...brokers],
    ssl: tls ?? false,
    // Its type knows each mechanism alone, not one of several.
    ...(sasl === null ? {} : { sasl: sasl as SASLOptions }),
    socketFactory: (target) => connect(target, until),
    connectionTimeout: CONNECT_WITHIN_MS,
    authenticationTimeout: ANSWER_WITHIN_MS,
    requestTimeout: ANSWER_WITHIN_MS,
    retry: RETRY,
    logLevel: logLevel.NOTHING,
  });
}

/** As kafkajs does it, but a request does not wait for the acknowledgement of the one before (Nagle's algorithm). */
function connect({ host, port, ssl, onConnect }: ISocketFactoryArgs, until: AbortSignal): net.Socket {
  const name = net.isIP(host) === 0 ? { servername: host } : {};
  const socket = ssl
    ? tls.connect({ host, port, ...name, ...ssl }, onConnect)
    : net.connect({ host, port }, onConnect);
  socket.setNoDelay().setKeepAlive(true, KEEP_ALIVE_AFTER_MS);
  const end = () => socket.destroy(new Error('The client was ended.'));
  until.addEventListener('abort', end);
  socket.once('close', () => until.removeEventListener('abort', end));
  if (until.aborted) end();
  return socket;
}
