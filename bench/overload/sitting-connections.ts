/**
 * Connections that cost a server memory and attention and ask for nothing: half of them are silent, the others send a
 * request of 600 bytes at one byte every five seconds. One that the server closes is made again, after up to
 * `AGAIN_WITHIN_MS`. They come over `SPREAD_MS`, and do not end all at once either, as those of many clients.
 *
 * A process of its own: `node sitting-connections.js PORT COUNT`; prints a line when all are there.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [port, count] = process.argv.slice(2).map(Number) as [number, number];
const BYTE_EVERY_MS = 5_000;
const SPREAD_MS = 20_000;
const AT_ONCE = 100;
const AGAIN_WITHIN_MS = 2_000;
const REQUEST = Buffer.from(
  `GET /match?uid=${'x'.repeat(500)} HTTP/1.1\r\nHost: localhost\r\nX: ${'y'.repeat(60)}`,
);

interface Sitter {
  readonly isSlow: boolean;
  socket: Socket | undefined;
  sent: number;
}

const sitters = Array.from(
  { length: count },
  (_, i): Sitter => ({ isSlow: i % 2 === 0, socket: undefined, sent: 0 }),
);

function sit(sitter: Sitter): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', resolve);
    sitter.socket = socket;
    sitter.sent = 0;
    socket.resume();
    socket.on('error', () => resolve());
    socket.on('close', () => setTimeout(() => void sit(sitter), Math.random() * AGAIN_WITHIN_MS));
  });
}

for (let start = 0; start < count; start += AT_ONCE) {
  await Promise.all(sitters.slice(start, start + AT_ONCE).map(sit));
  await sleep((SPREAD_MS * AT_ONCE) / count);
}
console.log('sitting');
let next = 0;
const slow = sitters.filter(({ isSlow }) => isSlow);
const TICK_MS = 10;
setInterval(() => {
  for (let i = 0; i < (slow.length * TICK_MS) / BYTE_EVERY_MS; i++) {
    const sitter = slow[next++ % slow.length];
    if (sitter?.socket?.writable !== true) continue;
    sitter.socket.write(REQUEST.subarray(sitter.sent % REQUEST.length, (sitter.sent % REQUEST.length) + 1));
    sitter.sent += 1;
  }
}, TICK_MS);
