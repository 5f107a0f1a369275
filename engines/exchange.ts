/** One question to a server over TCP, in the server's own bytes. */
import { connect } from 'node:net';

const LONGEST_ANSWER_BYTES = 1 << 20;

/**
 * Sends the question to a port of 127.0.0.1 and resolves with the answer, once `isWhole` says that it is one. Rejects
 * when the connection ends before, when the answer is longer than 1 MiB, or when the signal says stop.
 */
export function exchange(
  port: number,
  question: Uint8Array,
  isWhole: (answer: Buffer) => boolean,
  signal: AbortSignal,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, signal });
    let answer = Buffer.alloc(0);
    const end = (error: Error | undefined) => {
      socket.destroy();
      if (error === undefined) resolve(answer);
      else reject(error);
    };
    socket.on('data', (bytes: Buffer) => {
      answer = Buffer.concat([answer, bytes]);
      if (isWhole(answer)) end(undefined);
      else if (answer.length > LONGEST_ANSWER_BYTES) end(new Error('the answer is too long'));
    });
    socket.once('error', end);
    socket.once('close', () => end(new Error('the connection was closed without an answer')));
    socket.write(question);
  });
}

/** For answers that begin with their length as a big-endian int32 that does not count itself. */
export function hasInt32Length(answer: Buffer): boolean {
  return answer.length >= 4 && answer.length >= 4 + answer.readInt32BE(0);
}
